namespace Puces.Bench.Measurements;

/// <summary>What starting the client costs.</summary>
internal static class VersionTime
{
    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("puces version: from the start of the process to its end");
        string[] command = [Path.Combine(bench.Options.Programs, "puces"), "version"];
        await Shell.TimeAsync(3, command);
        var times = await Shell.TimeAsync(bench.Count(50, 5), command);
        bench.Report.Figure("Puces", "puces version", times.Median(), "ms", $"p95 {Figures.Show(times.Quantile(0.95))} ms");
        if (await bench.SlurmAsync() is { } slurm)
        {
            var others = await slurm.TimeAsync(bench.Count(50, 5), "sbatch", "--version");
            bench.Report.Figure("Slurm", "sbatch --version", others.Median(), "ms", $"p95 {Figures.Show(others.Quantile(0.95))} ms");
        }
        bench.Report.Aim("puces version, median", times.Median(), "ms", 30, isAtMost: true);
    }
}
