using System.Diagnostics;
using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Bench.Measurements;

/// <summary>One mix of jobs, run for real by a Slurm and by a pucesd beside each other: who waits how long, and how full the devices are.</summary>
internal static class Behaviour
{
    private const int Nodes = 4, DevicesOfNode = 4;

    /// <summary>One job of the mix: it sleeps.</summary>
    private sealed record Mixed(int Number, TimeSpan Submit, string Name, int Nodes, int Devices, double Seconds, int Priority, bool HasLimit)
    {
        public int Gang => Nodes * Devices;
    }

    /// <summary>When a job was submitted, began and ended.</summary>
    private sealed record Ran(Mixed Job, TimeSpan Submitted, TimeSpan Began, TimeSpan Ended)
    {
        public double Wait => (Began - Submitted).TotalSeconds;
    }

    public static async Task TakeAsync(Bench bench)
    {
        var report = bench.Report;
        var count = bench.Count(200, 8);
        var jobs = Mix(count);
        bench.Begin("Behaviour: one mix of jobs on a real Slurm and on a real pucesd");
        report.Line($"mix       {count} jobs from one seed, submitted one by one over {jobs[^1].Submit.TotalSeconds:0} s, {jobs.Sum(j => j.Gang * j.Seconds) / (Nodes * DevicesOfNode):0} s of work for {Nodes} nodes of {DevicesOfNode} pretended devices:");
        report.Line($"          {jobs.Count(j => j.Gang == 1)} ask for 1 device, {jobs.Count(j => j.Gang == 2)} for 2, {jobs.Count(j => j is { Nodes: 1, Devices: 4 })} for a node, {jobs.Count(j => j.Nodes > 1)} for two nodes; they sleep {jobs.Min(j => j.Seconds):0.0} to {jobs.Max(j => j.Seconds):0.0} s");
        report.Line($"told      the same to both: {jobs.Count(j => j.Priority > 0)} have a higher priority; {jobs.Count(j => j.HasLimit)} a limit of one minute, Slurm's least; nobody may be stopped for another; nobody says");
        report.Line("          how long it will take. Names repeat (12 of them), as real ones do; Puces, empty at first, learns from them, Slurm does not");
        report.Line("Slurm     sched/backfill as eng/slurm-local.sh sets it up: a pass at each event, backfill every 2 s; a job without a limit counts as 60 minutes");
        report.Line("both      run at the same time; times are those that the jobs write themselves; wait: from the call that submits to the first statement");
        var slurm = await bench.SlurmAsync();
        await using var puces = await bench.PucesAsync(Nodes);
        var pucesFile = Path.Combine(bench.Options.Folder, "puces-times");
        var slurmFile = Path.Combine(bench.Options.Folder, "slurm-times");
        var ours = RunAsync(jobs, pucesFile, job => puces.SubmitAsync(new SubmitJob(
            new(job.Name, new(Script(job, pucesFile)), [new GpuRequest(job.Devices, "H100")], job.Nodes, Cpus: 1, Limit: job.HasLimit ? TimeSpan.FromMinutes(1) : null, Priority: job.Priority), "bench")));
        var theirs = slurm is null ? null : RunAsync(jobs, slurmFile, job => slurm.SubmitAsync(
            Script(job, slurmFile), [$"--job-name={job.Name}", $"--nodes={job.Nodes}", "--ntasks-per-node=1", $"--gres=gpu:{job.Devices}",
                // Higher priorities first, then the earlier: as Puces has them.
                $"--priority={1_000_000 + job.Priority * 100_000 - job.Number}", .. job.HasLimit ? (string[])["--time=1"] : []]));
        Show(report, "Puces", await ours);
        if (theirs is not null) Show(report, "Slurm", await theirs);
        if (theirs is not null)
        {
            var (a, b) = (await ours, await theirs);
            report.Line();
            report.Line($"  ratio  mean wait, Puces over Slurm {Figures.Show(a.Average(r => r.Wait) / b.Average(r => r.Wait))} ×; utilisation {Figures.Show(Used(a) / Used(b))} ×; time for all {Figures.Show(Span(a) / Span(b))} ×");
        }
    }

    private static void Show(Report report, string who, IReadOnlyList<Ran> ran)
    {
        double[] waits = [.. ran.Select(r => r.Wait)];
        report.Heading(who);
        report.Figure(who, "wait, mean", waits.Average(), "s", $"median {Figures.Show(waits.Median())}, p95 {Figures.Show(waits.Quantile(0.95))}, longest {Figures.Show(waits.Max())}");
        report.Figure(who, "wait of the higher priority, mean", ran.Where(r => r.Job.Priority > 0).Select(r => r.Wait).DefaultIfEmpty(double.NaN).Average(), "s");
        report.Figure(who, "wait of those for two nodes, mean", ran.Where(r => r.Job.Nodes > 1).Select(r => r.Wait).DefaultIfEmpty(double.NaN).Average(), "s", $"longest {Figures.Show(ran.Where(r => r.Job.Nodes > 1).Select(r => r.Wait).DefaultIfEmpty(double.NaN).Max())}");
        report.Figure(who, "wait of those for one device, mean", ran.Where(r => r.Job.Gang == 1).Select(r => r.Wait).DefaultIfEmpty(double.NaN).Average(), "s");
        report.Figure(who, "utilisation", 100 * Used(ran), "%", "device time in which jobs slept, over that from the first submit to the last end");
        report.Figure(who, "from the first submit to the last end", Span(ran), "s");
    }

    private static double Span(IReadOnlyList<Ran> ran) => (ran.Max(r => r.Ended) - ran.Min(r => r.Submitted)).TotalSeconds;

    private static double Used(IReadOnlyList<Ran> ran) => ran.Sum(r => r.Job.Gang * r.Job.Seconds) / (Span(ran) * Nodes * DevicesOfNode);

    private static string Script(Mixed job, string file) =>
        string.Create(CultureInfo.InvariantCulture, $"echo {job.Number} $(date +%s.%N) >>{file}; sleep {job.Seconds:0.00}; echo {job.Number} $(date +%s.%N) >>{file}");

    private static async Task<IReadOnlyList<Ran>> RunAsync(IReadOnlyList<Mixed> jobs, string file, Func<Mixed, Task> submit)
    {
        var submitted = new TimeSpan[jobs.Count];
        var begun = Stopwatch.StartNew();
        foreach (var job in jobs)
        {
            if (job.Submit - begun.Elapsed is var left && left > TimeSpan.Zero) await Task.Delay(left);
            submitted[job.Number] = DateTime.UtcNow - DateTime.UnixEpoch;
            await submit(job);
        }
        // A gang over nodes writes once for each node in Puces, once in Slurm.
        var ran = new Dictionary<int, List<TimeSpan>>();
        await Shell.UntilAsync(() =>
        {
            ran = !File.Exists(file) ? [] : File.ReadLines(file).Select(l => l.Split(' ')).Where(w => w.Length == 2 && w[1].Length > 15)
                .GroupBy(w => int.Parse(w[0], CultureInfo.InvariantCulture), w => Time(w[1])).ToDictionary(g => g.Key, g => g.Order().ToList());
            return Task.FromResult(ran.Count == jobs.Count && jobs.All(j => ran[j.Number] is var times && (times[^1] - times[0]).TotalSeconds >= j.Seconds - 0.5));
        }, "all jobs have ended", pace: 500, seconds: 500);
        return [.. jobs.Select(j => new Ran(j, submitted[j.Number], ran[j.Number][0], ran[j.Number][^1]))];
    }

    private static TimeSpan Time(string seconds) => TimeSpan.FromTicks((long)(decimal.Parse(seconds, CultureInfo.InvariantCulture) * TimeSpan.TicksPerSecond));

    private static List<Mixed> Mix(int count)
    {
        var luck = new Random(42);
        (int Nodes, int Devices)[] gangs = [(1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 2), (1, 2), (1, 4), (1, 4), (2, 2), (2, 4)];
        var jobs = new List<Mixed>();
        var at = 0.0;
        for (var i = 0; i < count; i++)
        {
            // A recipe has its gang and its usual time: of each size some are short and some long.
            var recipe = luck.Next(gangs.Length);
            var usual = recipe % 2 == 0 ? 2.5 : 13.0;
            jobs.Add(new(
                i, TimeSpan.FromSeconds(at), $"recipe-{(char)('a' + recipe)}", gangs[recipe].Nodes, gangs[recipe].Devices, Math.Round(usual * (0.6 + 0.8 * luck.NextDouble()), 2),
                luck.Next(10) == 0 ? 10 : 0, HasLimit: luck.Next(2) == 0));
            at += -Math.Log(1 - luck.NextDouble()) * 0.75;
        }
        return jobs;
    }
}
