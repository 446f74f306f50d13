using System.Globalization;

namespace Puces.Bench.Measurements;

/// <summary>From submit to running on idle nodes.</summary>
internal static class StartTime
{
    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("From submit to running, all nodes idle, one job at a time");
        var slurm = await bench.SlurmAsync();
        await using var puces = await bench.PucesAsync();
        List<double> stamps = [], clock = [], command = [], slurmClock = [];
        var file = Path.Combine(bench.Options.Folder, "stamp");
        for (var i = -2; i < bench.Count(50, 3); i++)
        {
            // The daemon answers its first requests before it is warm: those two are not what people meet.
            var begun = DateTimeOffset.UtcNow;
            var id = (await puces.SubmitAsync(PucesSystem.Job(Stamp(file), [new(1, "H100")]))).Id;
            var own = await FirstStatementAsync(file) - begun;
            await puces.UntilAsync(s => s.Running == 0, "the job has ended");
            var detail = await puces.ShowAsync(id);
            if (i < 0) continue;
            clock.Add(own.TotalMilliseconds);
            stamps.Add((detail.Attempts[0].Started!.Value - detail.Job.Submitted).TotalMilliseconds);
        }
        for (var i = 0; i < bench.Count(20, 2); i++)
        {
            var begun = DateTimeOffset.UtcNow;
            await puces.RunClientAsync("submit", "--gpus", "H100:1", "--", "sh", "-c", Stamp(file));
            command.Add((await FirstStatementAsync(file) - begun).TotalMilliseconds);
            await puces.UntilAsync(s => s.Running == 0, "the job has ended");
            if (slurm is null) continue;
            var ended = slurm.Ended();
            begun = DateTimeOffset.UtcNow;
            await slurm.SubmitAsync(Stamp(file), "--gres=gpu:1");
            slurmClock.Add((await FirstStatementAsync(file) - begun).TotalMilliseconds);
            await slurm.UntilEndedAsync(ended + 1);
        }
        var report = bench.Report;
        report.Figure("Puces", "by the API: submitted to started", stamps.Median(), "ms", Tail(stamps));
        report.Figure("Puces", "caller's request to the job's first statement", clock.Median(), "ms", Tail(clock));
        report.Figure("Puces", "puces submit to the job's first statement", command.Median(), "ms", Tail(command));
        if (slurm is not null)
        {
            report.Figure("Slurm", "sbatch to the job's first statement", slurmClock.Median(), "ms", Tail(slurmClock));
            report.Line($"  ratio  Slurm takes {Figures.Show(slurmClock.Median() / command.Median())} × as long, command against command");
        }
        report.Aim("submit to running when idle, median by the API", stamps.Median(), "ms", 100, isAtMost: true);
        report.Aim("the same to the job's first statement, p95", clock.Quantile(0.95), "ms", 100, isAtMost: true);
    }

    /// <summary>A script that writes down when it began; renamed, so that it is never seen half written.</summary>
    internal static string Stamp(string file) => $"date +%s.%N >{file}.new; mv {file}.new {file}";

    internal static DateTimeOffset Time(string text) =>
        DateTimeOffset.UnixEpoch + TimeSpan.FromTicks((long)(decimal.Parse(text, CultureInfo.InvariantCulture) * TimeSpan.TicksPerSecond));

    private static string Tail(List<double> values) => $"p95 {Figures.Show(values.Quantile(0.95))} ms, of {values.Count}";

    private static async Task<DateTimeOffset> FirstStatementAsync(string file)
    {
        await Shell.UntilAsync(() => Task.FromResult(File.Exists(file)), "the job has written its time", pace: 2);
        var time = Time((await File.ReadAllTextAsync(file)).Trim());
        File.Delete(file);
        return time;
    }
}
