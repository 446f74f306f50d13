using System.Diagnostics;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Bench.Measurements;

/// <summary>A hundred hosts: agents over local pipes, and eight machines of their own address that are reached by a real sshd.</summary>
internal static class HostsCost
{
    private const int Piped = 100, Reached = 8, Gang = 64;

    public static async Task TakeAsync(Bench bench)
    {
        bench.Begin($"{Piped + Reached} hosts: {Piped} agents over local pipes, {Reached} by sshd in network namespaces, all on this machine");
        var report = bench.Report;
        var script = Path.Combine(Options.Checkout(), "eng", "ssh-hosts.sh");
        var hosts = Path.Combine(bench.Options.Folder, "hosts");
        var log = Path.Combine(bench.Options.Folder, "hosts.log");
        Task HostsAsync(params string[] words) => Shell.RunAsync(["/bin/bash", "-c", "\"$@\" >>\"$0\" 2>&1 </dev/null", log, script, words[0], hosts, .. words[1..]]);
        try
        {
            await HostsAsync("up", $"{Reached}");
            await using var puces = await bench.PucesAsync(Piped);
            report.Figure("Puces", $"start with {Piped} nodes: process to ready", puces.StartTime.Ready.TotalMilliseconds, "ms", $"all up after {Figures.Show(puces.StartTime.Nodes.TotalMilliseconds)} ms");
            var begun = Stopwatch.GetTimestamp();
            var addresses = File.ReadLines(Path.Combine(hosts, "hosts")).Select(l => l.Split(' ')).Where(w => w[0] != "inner");
            var pool = new SetPool(Gpus: "H100:4", Provider: "ssh", Ssh: new([.. addresses.Select(w => new SshHost(w[0], w[1]))], "puces-host", Key: Path.Combine(hosts, "key")));
            using (var reply = await puces.Http.PutAsJsonAsync("api/v1/pools/lab", pool, ContractJson.Default.SetPool))
                if (!reply.IsSuccessStatusCode) throw new BenchException(await reply.Content.ReadAsStringAsync());
            await Shell.UntilAsync(async () => (await UpAsync(puces, "lab")).Count == Reached, "all hosts are up", pace: 20);
            report.Figure("Puces", $"{Reached} hosts of a new pool: declared to up", Stopwatch.GetElapsedTime(begun).TotalMilliseconds, "ms", "the runner copied to each");
            await IdleAsync(bench, puces);
            await GangAsync(bench, puces);
            await DeadAsync(bench, puces, HostsAsync);
        }
        finally
        {
            await HostsAsync("down");
        }
    }

    private static async Task IdleAsync(Bench bench, PucesSystem puces)
    {
        await Task.Delay(TimeSpan.FromSeconds(5));
        var length = TimeSpan.FromSeconds(bench.Count(60, 2));
        var (before, all) = (Process.GetProcessById(puces.Pid).TotalProcessorTime, puces.Cpu);
        await Task.Delay(length);
        var daemon = (Process.GetProcessById(puces.Pid).TotalProcessorTime - before).TotalMilliseconds / length.TotalSeconds;
        var (resident, own) = Machine.Memory(puces.Pid);
        bench.Report.Figure("Puces", "idle: CPU of the daemon", daemon, "ms/s", $"{Figures.Show((puces.Cpu - all) / length.TotalSeconds)} ms/s with the {Piped} agents and the ssh clients, over {length.TotalSeconds:0} s");
        bench.Report.Figure("Puces", "idle: resident memory of the daemon", resident, "MB", $"{Figures.Show(own)} MB its own");
    }

    private static async Task GangAsync(Bench bench, PucesSystem puces)
    {
        List<double> whole = [];
        var folder = Path.Combine(bench.Options.Folder, "gang");
        for (var i = -1; i < bench.Count(10, 1); i++)
        {
            Directory.CreateDirectory(folder);
            var begun = DateTimeOffset.UtcNow;
            await puces.SubmitAsync(new(new("gang", new($"date +%s.%N >{folder}/$PUCES_RANK.new; mv {folder}/$PUCES_RANK.new {folder}/$PUCES_RANK"), [new GpuRequest(4, "H100")], Gang, Where: ["local"]), "bench"));
            await Shell.UntilAsync(() => Task.FromResult(Directory.EnumerateFiles(folder).Count(f => !f.EndsWith(".new", StringComparison.Ordinal)) == Gang), "all ranks have begun", pace: 10);
            var last = Directory.EnumerateFiles(folder).Max(f => StartTime.Time(File.ReadAllText(f).Trim()));
            if (i >= 0) whole.Add((last - begun).TotalMilliseconds);
            await puces.UntilAsync(s => s.Running == 0, "the gang has ended");
            Directory.Delete(folder, recursive: true);
        }
        bench.Report.Figure("Puces", $"a gang on {Gang} nodes: submitted to its last rank's first statement", whole.Median(), "ms", $"longest {Figures.Show(whole.Max())}, of {whole.Count}");
    }

    private static async Task DeadAsync(Bench bench, PucesSystem puces, Func<string[], Task> hosts)
    {
        (string Verb, string Back, string Host, string What)[] ways = [("crash", "boot", "h1", "a host that is turned off"), ("cut", "mend", "h2", "a host whose cable is pulled")];
        foreach (var (verb, back, host, what) in ways)
        {
            List<double> times = [];
            for (var i = 0; i < bench.Count(3, 1); i++)
            {
                var begun = Stopwatch.GetTimestamp();
                await hosts([verb, host]);
                await Shell.UntilAsync(async () => !(await UpAsync(puces, "lab")).Contains("lab/" + host), "the loss is noticed", pace: 20);
                times.Add(Stopwatch.GetElapsedTime(begun).TotalSeconds);
                await hosts([back, host]);
                await Shell.UntilAsync(async () => (await UpAsync(puces, "lab")).Contains("lab/" + host), "it is back", pace: 20);
            }
            bench.Report.Figure("Puces", what + ": noticed after", times.Median(), "s", $"longest {Figures.Show(times.Max())}, of {times.Count}");
        }
    }

    private static async Task<IReadOnlyList<string>> UpAsync(PucesSystem puces, string pool) =>
        [.. (await puces.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList))!.Pools.Single(p => p.Name == pool).Nodes.Where(n => n.IsUp).Select(n => n.Id)];
}
