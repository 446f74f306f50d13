using System.Diagnostics;

namespace Puces.Bench.Measurements;

/// <summary>Many jobs in one request, stored in one transaction.</summary>
internal static class BatchRate
{
    public static async Task TakeAsync(Bench bench)
    {
        var count = bench.Count(20_000, 100);
        bench.Report.Heading($"{Figures.Show(count)} jobs in one request: all or none, each a job of its own, answered when synced");
        await using var puces = await bench.PucesAsync();
        await puces.FillAsync();
        var batch = PucesSystem.Batch(count, PucesSystem.Job("true", [new(1, "H100")]));
        List<double> rates = [], costs = [];
        for (var round = 0; round < 5; round++)
        {
            var cpu = puces.Cpu;
            var begun = Stopwatch.GetTimestamp();
            await puces.PostAsync("api/v1/jobs/batch", batch);
            rates.Add(count / Stopwatch.GetElapsedTime(begun).TotalSeconds);
            costs.Add((puces.Cpu - cpu) * 1000 / count);
        }
        var report = bench.Report;
        report.Figure("Puces", "the first request to a fresh daemon", rates[0], "jobs/s", $"{Figures.Show(costs[0])} µs CPU each");
        report.Figure("Puces", "four more", rates[1..].Median(), "jobs/s", $"rounds {Figures.Each(rates[1..])}; {Figures.Show(costs[1..].Median())} µs CPU each");
        report.Line("  Slurm  has no such request; an array is one record until its tasks start");
        report.Aim("jobs a second in one request, warm", rates[1..].Median(), "jobs/s", 20_000);
        report.Aim("jobs a second in one request, cold", rates[0], "jobs/s", 20_000);
    }
}
