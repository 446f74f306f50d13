namespace Puces.Bench.Measurements;

/// <summary>Single jobs a second, each acknowledged by itself; they wait and do not run meanwhile.</summary>
internal static class SubmitRate
{
    private const int PucesCallers = 64, CommandCallers = 8, RestCallers = 8;

    public static async Task TakeAsync(Bench bench)
    {
        bench.Report.Heading("Submitting jobs one by one (they wait: Puces' devices are taken, Slurm's jobs are held, which spares it a look at each)");
        var slurm = await bench.SlurmAsync();
        await using var puces = await bench.PucesAsync();
        await puces.FillAsync();
        var body = PucesSystem.Body("true", [new(1, "H100")]);
        List<double> http = [], late = [], cost = [], client = [], command = [], commandCost = [], rest = [], restCost = [];
        var first = 0.0;
        for (var round = 0; round < 3; round++)
        {
            var count = bench.Count(9000, 128);
            var cpu = puces.Cpu;
            var (all, each) = await Shell.ShareAsync(PucesCallers, count, _ => puces.PostAsync("api/v1/jobs", body));
            http.Add(count / all.TotalSeconds);
            late.Add(each.Quantile(0.99));
            cost.Add((puces.Cpu - cpu) / count);
            if (round == 0) first = count / all.TotalSeconds;
            count = bench.Count(300, 4);
            (all, _) = await Shell.ShareAsync(CommandCallers, count, _ => puces.RunClientAsync("submit", "--gpus", "H100:1", "--", "true"));
            client.Add(count / all.TotalSeconds);
            if (slurm is null) continue;

            count = bench.Count(300, 4);
            cpu = slurm.Cpu;
            (all, _) = await Shell.ShareAsync(CommandCallers, count, _ => slurm.SubmitAsync("true", "-H"));
            command.Add(count / all.TotalSeconds);
            commandCost.Add((slurm.Cpu - cpu) / count);
            count = bench.Count(1500, 8);
            cpu = slurm.Cpu;
            (all, _) = await Shell.ShareAsync(RestCallers, count, _ => slurm.PostAsync());
            rest.Add(count / all.TotalSeconds);
            restCost.Add((slurm.Cpu - cpu) / count);
        }
        var report = bench.Report;
        report.Figure("Puces", $"HTTP, {PucesCallers} callers", http.Median(), "jobs/s", $"rounds {Figures.Each(http)} (the first cold); p99 {Figures.Show(late.Median())} ms; {Figures.Show(cost.Median())} ms CPU each");
        report.Figure("Puces", $"the puces command, {CommandCallers} callers", client.Median(), "jobs/s", $"rounds {Figures.Each(client)}");
        if (slurm is not null)
        {
            report.Figure("Slurm", $"sbatch -H, {CommandCallers} callers", command.Median(), "jobs/s", $"rounds {Figures.Each(command)}; {Figures.Show(commandCost.Median())} ms CPU each");
            report.Figure("Slurm", $"slurmrestd, {RestCallers} connections", rest.Median(), "jobs/s", $"rounds {Figures.Each(rest)}; {Figures.Show(restCost.Median())} ms CPU each");
        }
        report.Aim("jobs submitted a second over HTTP, against sbatch", http.Median() / command.Median(), "×", 10);
        report.Aim("the same, against slurmrestd on several connections", http.Median() / rest.Median(), "×", 3);
    }
}
