namespace Puces.Bench.Measurements;

/// <summary>From the end of a job that holds a whole node to the start of the next in line.</summary>
internal static class WakeTime
{
    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("From the last statement of a job on a full node to the first statement of the next in line");
        var slurm = await bench.SlurmAsync();
        var count = bench.Count(50, 3);
        await using var puces = await bench.PucesAsync(nodes: 1);
        var file = Path.Combine(bench.Options.Folder, "chain");
        var chain = PucesSystem.Batch(count + 4, PucesSystem.Job(Script(file), [new(4, "H100")]));
        await puces.PostAsync("api/v1/jobs/batch", chain);
        await puces.UntilAsync(s => s.Waiting + s.Running == 0, "the chain has ended");
        var gaps = Gaps(file)[3..];
        var report = bench.Report;
        report.Figure("Puces", "whole node to whole node", gaps.Median(), "ms", $"p95 {Figures.Show(gaps.Quantile(0.95))} ms, of {gaps.Count}");
        if (slurm is not null)
        {
            var slurmFile = file + ".slurm";
            var slurmCount = bench.Count(12, 2);
            var ended = slurm.Ended();
            await slurm.SubmitAsync(Script(slurmFile), "-w", "n1", "--exclusive", $"--array=1-{slurmCount}");
            await slurm.UntilEndedAsync(ended + slurmCount);
            var slurmGaps = Gaps(slurmFile);
            report.Figure("Slurm", "whole node to whole node (--exclusive)", slurmGaps.Median(), "ms", $"p95 {Figures.Show(slurmGaps.Quantile(0.95))} ms, of {slurmGaps.Count}");
            report.Line($"  ratio  Slurm takes {Figures.Show(slurmGaps.Median() / gaps.Median())} × as long");
        }
        report.Aim("released device to the next start, median", gaps.Median(), "ms", 20, isAtMost: true);
        report.Aim("released device to the next start, p95", gaps.Quantile(0.95), "ms", 20, isAtMost: true);
    }

    private static string Script(string file) => $"date +%s.%N >>{file}; sleep 0.05; date +%s.%N >>{file}";

    /// <summary>The file has a line for each start and each end, in turn.</summary>
    private static List<double> Gaps(string file)
    {
        var times = File.ReadLines(file).Select(StartTime.Time).ToList();
        return [.. Enumerable.Range(1, times.Count / 2 - 1).Select(i => (times[2 * i] - times[2 * i - 1]).TotalMilliseconds)];
    }
}
