namespace Puces.Bench.Measurements;

/// <summary>What a long line costs those who look at it.</summary>
internal static class ListTime
{
    public static async Task TakeAsync(Bench bench)
    {
        var count = bench.Count(10_000, 50);
        var calls = bench.Count(15, 3);
        bench.Report.Heading($"Listing {Figures.Show(count)} waiting jobs: from the start of the command to its end");
        var slurm = await bench.SlurmAsync();
        await using var puces = await bench.PucesAsync();
        await puces.FillAsync();
        await puces.PostAsync("api/v1/jobs/batch", PucesSystem.Batch(count, PucesSystem.Job("true", [new(1, "H100")])));
        if (slurm is not null) await Shell.ShareAsync(8, count, _ => slurm.PostAsync());
        string[] ps = [Path.Combine(bench.Options.Programs, "puces"), "ps"];
        List<double> table = [], json = [], slurmTable = [], slurmJson = [], warm = [];
        await Shell.TimeAsync(3, ps, puces.Client);
        await Shell.TimeAsync(3, [.. ps, "--json"], puces.Client);
        for (var i = 0; i < calls; i++)
        {
            table.AddRange(await Shell.TimeAsync(1, ps, puces.Client));
            json.AddRange(await Shell.TimeAsync(1, [.. ps, "--json"], puces.Client));
            if (slurm is null) continue;
            slurmTable.AddRange(await slurm.TimeAsync(1, "squeue"));
            if (i % 3 == 0) slurmJson.AddRange(await slurm.TimeAsync(1, "squeue", "--json"));
        }
        var report = bench.Report;
        report.Figure("Puces", "puces ps", table.Median(), "ms", $"p95 {Figures.Show(table.Quantile(0.95))} ms");
        report.Figure("Puces", "puces ps --json", json.Median(), "ms", $"p95 {Figures.Show(json.Quantile(0.95))} ms");
        if (slurm is not null)
        {
            report.Figure("Slurm", "squeue", slurmTable.Median(), "ms", $"p95 {Figures.Show(slurmTable.Quantile(0.95))} ms");
            report.Figure("Slurm", "squeue --json", slurmJson.Median(), "ms");
            report.Line($"  ratio  Slurm takes {Figures.Show(slurmTable.Median() / table.Median())} × as long for its table, {Figures.Show(slurmJson.Median() / json.Median())} × for JSON");
            var (resident, own) = Machine.Memory(slurm.PidOf("slurmctld"));
            report.Figure("Slurm", "slurmctld with these jobs, resident", resident, "MB", $"{Figures.Show(own)} MB its own");
        }
        report.Aim("puces ps, median", table.Median(), "ms", 100, isAtMost: true);
        report.Aim("puces ps --json, median", json.Median(), "ms", 100, isAtMost: true);
    }
}
