namespace Puces.Bench.Measurements;

/// <summary>What the daemon holds in memory: idle, and for each job that waits.</summary>
internal static class MemoryUse
{
    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("Memory of the daemon");
        var (few, many) = (bench.Count(10_000, 100), bench.Count(100_000, 400));
        var report = bench.Report;
        await using var puces = await bench.PucesAsync();
        report.Figure("Puces", "start: process to ready", puces.StartTime.Ready.TotalMilliseconds, "ms", $"all 4 nodes up after {Figures.Show(puces.StartTime.Nodes.TotalMilliseconds)} ms");
        await Task.Delay(2000);
        var idle = Show("idle, fresh", 0);
        await puces.FillAsync();
        await FillAsync(few);
        Show($"after {Figures.Show(few)} waiting jobs came", few);
        var atFew = await RestartedAsync(few);
        await FillAsync(many - few);
        Show($"after {Figures.Show(many)} waiting jobs came", many);
        var atMany = await RestartedAsync(many);
        report.Aim("resident when idle", idle.Resident, "MB", 150, isAtMost: true);
        report.Aim("for each further waiting job, settled (own memory)", (atMany.Own - atFew.Own) * 1e6 / (many - few), "bytes", 2000, isAtMost: true);

        async Task FillAsync(int count)
        {
            var job = PucesSystem.Job("true", [new(1, "H100")]);
            for (var left = count; left > 0; left -= 10_000) await puces.PostAsync("api/v1/jobs/batch", PucesSystem.Batch(Math.Min(left, 10_000), job));
            await Task.Delay(bench.Options.IsQuick ? 100 : 5000);
        }

        async Task<(double Resident, double Own)> RestartedAsync(int count)
        {
            // What settles: a daemon that has read the line from its store holds the line, and little of what came before.
            await puces.RestartAsync();
            await Task.Delay(2000);
            report.Figure("Puces", $"start with {Figures.Show(count)} waiting: process to ready", puces.StartTime.Ready.TotalMilliseconds, "ms");
            return Show($"{Figures.Show(count)} waiting, started again", count);
        }

        (double Resident, double Own) Show(string what, int count)
        {
            var (resident, own) = Machine.Memory(puces.Pid);
            report.Figure("Puces", what + ", resident", resident, "MB", $"{Figures.Show(own)} MB its own");
            return (resident, own);
        }
    }
}
