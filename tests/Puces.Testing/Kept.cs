using System.Diagnostics;
using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Testing;

/// <summary>
/// What a queue has kept of the jobs that it acknowledged, when its daemon is killed soon after each batch of acknowledgements. The jobs
/// wait: none of them is to run.
/// </summary>
/// <param name="Lost">Acknowledged, and not there in the end, or another job under its number.</param>
/// <param name="Reused">Acknowledgements of a number that had been acknowledged for another job before.</param>
public sealed record Kept(int Acknowledged, int Kills, int Lost, int Reused, TimeSpan Took)
{
    public const int Batch = 20, LongestPauseMs = 100;

    public static async Task<Kept> ByPucesAsync(DaemonProcess daemon, int batches, int seed, CancellationToken ct)
    {
        await daemon.StartAsync(ct);
        return await CountAsync(
            batches, seed,
            async name => (await daemon.SubmitAsync(new SubmitJob(new JobSpec(name, new("true"), Gpus: [new(Name: "H100")]), "ada"), ct, key: name)).Id,
            async () =>
            {
                await daemon.KillAsync();
                await daemon.StartAsync(ct);
            },
            async jobs =>
            {
                var found = new Dictionary<long, string>();
                foreach (var job in jobs)
                {
                    using var reply = await daemon.Http.GetAsync($"api/v1/jobs/{job}", ct);
                    if (reply.IsSuccessStatusCode) found[job] = (await daemon.ShowAsync(job, ct)).Job.Name;
                }
                return found;
            }, ct);
    }

    /// <param name="script"><c>eng/slurm-local.sh</c>.</param>
    /// <param name="folder">Of a Slurm that it has started.</param>
    public static Task<Kept> BySlurmAsync(string script, string folder, int batches, int seed, CancellationToken ct)
    {
        var pid = Path.Combine(folder, "run", "slurmctld.pid");
        return CountAsync(
            batches, seed,
            async name => long.Parse(await RunAsync("sbatch", ["--parsable", "--hold", "--comment=" + name, "--output=/dev/null", "--wrap=true"], ct), CultureInfo.InvariantCulture),
            async () =>
            {
                using (var controller = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(pid, ct), CultureInfo.InvariantCulture)))
                {
                    controller.Kill();
                    await controller.WaitForExitAsync(ct);
                }
                File.Delete(pid);
                await RunAsync(script, ["start-controller", folder], ct);
            },
            async _ => (await RunAsync("squeue", ["-h", "-t", "all", "-o", "%i %k"], ct)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' ')).ToDictionary(p => long.Parse(p[0], CultureInfo.InvariantCulture), p => p[1]), ct);

        async Task<string> RunAsync(string program, string[] arguments, CancellationToken stop)
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
            start.Environment["SLURM_CONF"] = Path.Combine(folder, "etc", "slurm.conf");
            using var process = Process.Start(start)!;
            // What a script leaves running in the background keeps its output open: the end of the process is what counts.
            var output = program == script ? Task.FromResult("") : process.StandardOutput.ReadToEndAsync(stop);
            await process.WaitForExitAsync(stop);
            return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}");
        }
    }

    private static async Task<Kept> CountAsync(
        int batches, int seed, Func<string, Task<long>> submit, Func<Task> killAndRestart, Func<IEnumerable<long>, Task<Dictionary<long, string>>> find, CancellationToken ct)
    {
        var (random, clock) = (new Random(seed), Stopwatch.StartNew());
        var acknowledged = new List<(long Job, string Name)>();
        for (var batch = 1; batch <= batches; batch++)
        {
            for (var i = 1; i <= Batch; i++)
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"job-{batch}-{i}");
                acknowledged.Add((await submit(name), name));
            }
            await Task.Delay(random.Next(LongestPauseMs + 1), ct);
            await killAndRestart();
        }
        var found = await find(acknowledged.Select(a => a.Job).Distinct());
        return new(
            acknowledged.Count, batches, acknowledged.Count(a => found.GetValueOrDefault(a.Job) != a.Name),
            acknowledged.Count - acknowledged.Select(a => a.Job).Distinct().Count(), clock.Elapsed);
    }
}
