using System.Diagnostics;

namespace Puces.Bench.Measurements;

/// <summary>Jobs that do nothing, from the first submit to the last end, and what each costs.</summary>
internal static class RunRate
{
    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("Jobs that do nothing (sh, true), 64 at a time, from the first submit to the last end");
        var slurm = await bench.SlurmAsync();
        await using var puces = await bench.PucesAsync();
        List<double> rates = [], costs = [], array = [], arrayCost = [], single = [], singleCost = [];
        var count = bench.Count(3000, 40);
        var (slurmCount, ended) = (bench.Count(400, 4), slurm?.Ended() ?? 0);
        var batch = PucesSystem.Batch(count, PucesSystem.Job("true"));
        for (var round = 0; round < 3; round++)
        {
            var cpu = puces.Cpu;
            var begun = Stopwatch.GetTimestamp();
            await puces.PostAsync("api/v1/jobs/batch", batch);
            await puces.UntilAsync(i => i.Waiting + i.Running == 0, "all jobs have ended");
            rates.Add(count / Stopwatch.GetElapsedTime(begun).TotalSeconds);
            await Task.Delay(500); // The last are acknowledged and cleared away: that is theirs too.
            costs.Add((puces.Cpu - cpu) / count);
            if (slurm is null || round == 2) continue;

            (cpu, begun) = (slurm.Cpu, Stopwatch.GetTimestamp());
            await slurm.SubmitAsync("true", $"--array=1-{slurmCount}");
            await slurm.UntilEndedAsync(ended += slurmCount);
            array.Add(slurmCount / Stopwatch.GetElapsedTime(begun).TotalSeconds);
            await Task.Delay(500);
            arrayCost.Add((slurm.Cpu - cpu) / slurmCount);

            (cpu, begun) = (slurm.Cpu, Stopwatch.GetTimestamp());
            await Shell.ShareAsync(8, slurmCount, _ => slurm.SubmitAsync("true"));
            await slurm.UntilEndedAsync(ended += slurmCount);
            single.Add(slurmCount / Stopwatch.GetElapsedTime(begun).TotalSeconds);
            await Task.Delay(500);
            singleCost.Add((slurm.Cpu - cpu) / slurmCount);
        }
        var report = bench.Report;
        report.Figure("Puces", $"one request of {count}", rates.Median(), "jobs/s", $"rounds {Figures.Each(rates)} (the first cold); {Figures.Show(costs.Median())} ms CPU each ({Figures.Each(costs)})");
        if (slurm is not null)
        {
            report.Figure("Slurm", $"one array of {slurmCount} tasks", array.Median(), "jobs/s", $"rounds {Figures.Each(array)}; {Figures.Show(arrayCost.Median())} ms CPU each ({Figures.Each(arrayCost)})");
            report.Figure("Slurm", $"{slurmCount} × sbatch, 8 callers", single.Median(), "jobs/s", $"rounds {Figures.Each(single)}; {Figures.Show(singleCost.Median())} ms CPU each ({Figures.Each(singleCost)})");
        }
        report.Aim("jobs run a second, against Slurm's array, its best", rates.Median() / array.Median(), "×", 5);
        report.Aim("CPU of a job, against Slurm's array, its best", costs.Median() / arrayCost.Median(), "×", 1 / 3.0, isAtMost: true);
    }
}
