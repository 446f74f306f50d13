using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Puces.Core.Fleet;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// A real Slurm on this machine with pretended devices, four nodes of four (<c>eng/slurm-local.sh</c>). It is gone with the test process however
/// that ends.
/// </summary>
public sealed class SlurmCluster : IAsyncDisposable
{
    private static readonly string? Script = FindScript();

    private readonly Process _guard;
    private readonly Dictionary<string, string> _environment;

    private SlurmCluster(string folder, Process guard, Dictionary<string, string> environment) => (Folder, _guard, _environment) = (folder, guard, environment);

    public string Folder { get; }

    public string Config => Path.Combine(Folder, "etc", "slurm.conf");

    /// <summary>What Puces keeps there, as the login and all nodes see it.</summary>
    public string Shared => Path.Combine(Folder, "puces");

    /// <summary>Skips the test where such a cluster cannot be made.</summary>
    /// <param name="hasAccounting">It has a slurmdbd, lets nobody in without an account (it has one, <c>puces</c>), and soon forgets jobs itself.</param>
    public static async Task<SlurmCluster> StartAsync(CancellationToken ct, bool hasAccounting = false)
    {
        Assert.SkipUnless(!hasAccounting || File.Exists("/usr/sbin/slurmdbd") && File.Exists("/usr/sbin/mariadbd"), "slurmdbd or MariaDB is not here: run ./test as root");
        Assert.SkipUnless(Script is not null && Environment.UserName == "root" && File.Exists("/usr/bin/sbatch") && Directory.EnumerateFiles("/usr/sbin", "slurmctld*").Any(), "Slurm is not here: run ./test as root");
        // Sockets lie in it, whose names may not be long.
        var folder = Directory.CreateTempSubdirectory("psl-").FullName;
        var guard = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", "trap '' INT TERM; cat >/dev/null; \"$0\" down \"$1\" >/dev/null 2>&1; rm -rf \"$1\"", Script!, folder]) { RedirectStandardInput = true })!;
        var cluster = new SlurmCluster(folder, guard, new() { ["PORT"] = FreePorts().ToString(System.Globalization.CultureInfo.InvariantCulture) });
        if (hasAccounting) (cluster._environment["ACCT"], cluster._environment["MIN_JOB_AGE"]) = ("1", "5");
        await cluster.RunAsync("up", ct);
        return cluster;
    }

    public Pool Pool(params string[] partitions) => new("cluster", "slurm", Slurm: new(partitions.Length > 0 ? partitions : ["batch"], Folder: Shared, Config: Config));

    /// <summary>The same by a login node: a real sshd.</summary>
    public async Task<Pool> PoolByLoginAsync(CancellationToken ct)
    {
        await RunAsync("login", ct);
        var port = int.Parse(_environment["PORT"], System.Globalization.CultureInfo.InvariantCulture) + 3;
        return new("cluster", "slurm", Slurm: new(["batch"], new SshHost("127.0.0.1", User: Environment.UserName, Port: port, Key: Path.Combine(Folder, "etc", "ssh", "key")), Folder: Shared));
    }

    /// <summary>How often somebody has logged in to the login node.</summary>
    public int Logins => File.ReadLines(Path.Combine(Folder, "log", "sshd.log")).Count(l => l.StartsWith("Accepted ", StringComparison.Ordinal));

    /// <summary>Breaks all connections to the login node.</summary>
    public Task DropLoginsAsync(CancellationToken ct) => RunAsync("drop", ct);

    public Task KillControllerAsync(CancellationToken ct) => RunAsync("kill-controller", ct);

    public Task StartControllerAsync(CancellationToken ct) => RunAsync("start-controller", ct);

    /// <summary>Slurm hears no more of the node, and the node sees nothing of <see cref="Shared"/>: what runs there goes on.</summary>
    public Task CutAsync(string node, CancellationToken ct) => RunAsync("cut", ct, node, Shared);

    public Task MendAsync(string node, CancellationToken ct) => RunAsync("mend", ct, node, Shared);

    /// <summary>What one of Slurm's commands prints.</summary>
    public async Task<string> AskAsync(string command, CancellationToken ct)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true };
        start.Environment["SLURM_CONF"] = Config;
        using var process = Process.Start(start)!;
        var answer = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return answer.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private async Task RunAsync(string verb, CancellationToken ct, params string[] more)
    {
        // Into a file: what it leaves running would keep a pipe open.
        var log = Path.Combine(Folder, "script.log");
        var start = new ProcessStartInfo("/bin/bash", ["-c", "\"$@\" >>\"$0\" 2>&1", log, Script!, verb, Folder, .. more]);
        foreach (var (name, value) in _environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(ct);
        Assert.True(process.ExitCode == 0, await File.ReadAllTextAsync(log, ct));
    }

    /// <summary>The first of some ports that nobody listens on now, below those that the system gives away.</summary>
    private static int FreePorts()
    {
        for (var first = 18000 + Environment.ProcessId % 100 * 40; ; first += 40)
        {
            try
            {
                for (var port = first; port < first + 20; port++)
                {
                    using var listener = new TcpListener(IPAddress.Loopback, port);
                    listener.Start();
                }
                return first;
            }
            catch (SocketException)
            {
            }
        }
    }

    private static string? FindScript()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "eng", "slurm-local.sh") is var script && File.Exists(script)) return script;
        return null;
    }
}
