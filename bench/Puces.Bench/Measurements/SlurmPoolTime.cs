using System.Diagnostics;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Bench.Measurements;

/// <summary>What it costs that a job comes to a Slurm cluster through Puces: a job alone, and five hundred.</summary>
internal static class SlurmPoolTime
{
    private const string Pool = "cluster";

    public static async Task TakeAsync(Bench bench)
    {
        bench.Begin("A Slurm cluster through Puces, against plain sbatch on the same cluster");
        if (await bench.SlurmAsync() is not { } slurm) throw new BenchException("slurm-pool compares with Slurm: leave --without-slurm out");
        await using var puces = await bench.PucesAsync(nodes: 1);
        using (var reply = await puces.Http.PutAsJsonAsync("api/v1/pools/" + Pool, new SetPool(Provider: "slurm", Slurm: new(["batch"], Folder: slurm.Shared, Config: slurm.Config)), ContractJson.Default.SetPool))
            if (!reply.IsSuccessStatusCode) throw new BenchException(await reply.Content.ReadAsStringAsync());
        await OneAsync(bench, puces, slurm);
        await ManyAsync(bench, puces, slurm);
    }

    private static async Task OneAsync(Bench bench, PucesSystem puces, SlurmSystem slurm)
    {
        var report = bench.Report;
        report.Heading("From the command that submits to the first line of output, the cluster idle, one job at a time, the two in turns");
        List<double> ours = [], theirs = [];
        for (var i = -1; i < bench.Count(20); i++)
        {
            var begun = Stopwatch.GetTimestamp();
            var id = (await puces.RunClientAsync("submit", "--gpus", "1", "--where", Pool, "--", "echo", "first")).Trim();
            await FirstLineAsync(puces, id);
            if (i >= 0) ours.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            await slurm.UntilIdleAsync();
            var file = Path.Combine(bench.Options.Folder, "output");
            begun = Stopwatch.GetTimestamp();
            await slurm.RunAsync("sbatch", "--parsable", "--gres=gpu:1", "-o", file, "--wrap", "echo first");
            await Shell.UntilAsync(() => Task.FromResult(File.Exists(file) && new FileInfo(file).Length > 0), "the job of sbatch has written", pace: 2);
            if (i >= 0) theirs.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            await slurm.UntilIdleAsync();
            File.Delete(file);
        }
        report.Figure("Puces", "puces submit to the first line in its log", ours.Median(), "ms", $"p95 {Figures.Show(ours.Quantile(0.95))}, of {ours.Count}");
        report.Figure("Slurm", "sbatch to the first line in its file", theirs.Median(), "ms", $"p95 {Figures.Show(theirs.Quantile(0.95))}, of {theirs.Count}");
        report.Line($"  added  {Figures.Show(ours.Median() - theirs.Median())} ms in the middle");
    }

    private static async Task ManyAsync(Bench bench, PucesSystem puces, SlurmSystem slurm)
    {
        var count = bench.Count(500, 8);
        var report = bench.Report;
        report.Heading($"{count} jobs of one device that do nothing, from the first submit to the last end, 16 devices");
        var (ourCpu, slurmCpu) = (puces.Cpu, slurm.Cpu);
        var begun = Stopwatch.GetTimestamp();
        await puces.PostAsync("api/v1/jobs/batch", PucesSystem.Batch(count, new(new("no-op", new("true"), [new GpuRequest(1)], Where: [Pool]), "bench")));
        var sent = Stopwatch.GetElapsedTime(begun);
        await Shell.UntilAsync(async () => (await puces.Http.GetFromJsonAsync("api/v1/info", ContractJson.Default.ServerInfo)) is { Running: 0, Waiting: 0 }, "all jobs have ended", pace: 100, seconds: 580);
        var all = Stopwatch.GetElapsedTime(begun);
        report.Figure("Puces", "all of them", all.TotalSeconds, "s", $"{Figures.Show(count / all.TotalSeconds)} jobs/s; sent in one request in {Figures.Show(sent.TotalSeconds)} s; CPU {Figures.Show((puces.Cpu - ourCpu) / count)} ms each for Puces, {Figures.Show((slurm.Cpu - slurmCpu) / count)} ms for Slurm");
        await slurm.UntilIdleAsync();
        slurmCpu = slurm.Cpu;
        var ended = slurm.Ended();
        begun = Stopwatch.GetTimestamp();
        await Shell.ShareAsync(8, count, _ => slurm.SubmitAsync("true", "--gres=gpu:1"));
        sent = Stopwatch.GetElapsedTime(begun);
        await slurm.UntilEndedAsync(ended + count);
        var theirs = Stopwatch.GetElapsedTime(begun);
        report.Figure("Slurm", "all of them", theirs.TotalSeconds, "s", $"{Figures.Show(count / theirs.TotalSeconds)} jobs/s; sent by 8 callers of sbatch in {Figures.Show(sent.TotalSeconds)} s; CPU {Figures.Show((slurm.Cpu - slurmCpu) / count)} ms each");
        report.Line($"  ratio  Puces takes {Figures.Show(all / theirs)} × as long");
    }

    private static Task FirstLineAsync(PucesSystem puces, string id) => Shell.UntilAsync(
        async () => (await puces.Http.GetStringAsync(new Uri($"api/v1/jobs/{id}/logs", UriKind.Relative))).Contains("first", StringComparison.Ordinal), "the job has written", pace: 5);
}
