using System.Diagnostics;
using System.Globalization;
using Puces.Core.Fleet;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// Machines of their own address, host name, processes and real sshd, in network namespaces of this one (<c>eng/ssh-hosts.sh</c>); the last,
/// <c>inner</c>, is reached through <c>h1</c> alone. They are gone with the test process however that ends.
/// </summary>
public sealed class SshHosts : IAsyncDisposable
{
    private static readonly string? Script = FindScript();

    private readonly Process _guard;
    private readonly Dictionary<string, string> _addresses;

    private SshHosts(string folder, Process guard)
    {
        (Folder, _guard) = (folder, guard);
        _addresses = File.ReadAllLines(Path.Combine(folder, "hosts")).Select(l => l.Split(' ')).ToDictionary(w => w[0], w => w[1]);
    }

    public string Folder { get; }

    /// <summary>The private key that all of them let in.</summary>
    public string Key => Path.Combine(Folder, "key");

    public string AddressOf(string host) => _addresses[host];

    /// <summary>The home of the user there, as this machine sees it.</summary>
    public string HomeOf(string host) => Path.Combine(Folder, host, "home");

    /// <summary>Skips the test where such machines cannot be made.</summary>
    public static async Task<SshHosts> StartAsync(int count, CancellationToken ct)
    {
        Assert.SkipUnless(Script is not null && File.Exists("/usr/sbin/sshd") && Environment.UserName == "root", "sshd, or the right to make network namespaces, is not here: run ./test as root");
        var folder = Directory.CreateTempSubdirectory("puces-ssh-").FullName;
        // Ends them when this process does.
        var guard = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", "trap '' INT TERM; cat; \"$0\" down \"$1\"; rm -rf \"$1\"", Script!, folder]) { RedirectStandardInput = true })!;
        await RunAsync(["up", folder, count.ToString(CultureInfo.InvariantCulture)], ct);
        return new(folder, guard);
    }

    /// <summary>A pool of these hosts, with virtual devices on each.</summary>
    public Pool Pool(string name, string[] hosts, string? gpus = "H100:4", TimeSpan? term = null, string? shared = null) => new(
        name, "ssh", Gpus: gpus, Term: term,
        Ssh: new([.. hosts.Select(h => new SshHost(h, AddressOf(h), Jump: h == "inner" ? $"puces-host@{AddressOf("h1")}:22" : null))], "puces-host", Key: Key, Shared: shared));

    /// <summary>Pulls its cable.</summary>
    public Task CutAsync(string host, CancellationToken ct) => RunAsync(["cut", Folder, host], ct);

    public Task MendAsync(string host, CancellationToken ct) => RunAsync(["mend", Folder, host], ct);

    /// <summary>Ends it, and all that runs on it, at once.</summary>
    public Task CrashAsync(string host, CancellationToken ct) => RunAsync(["crash", Folder, host], ct);

    public Task BootAsync(string host, CancellationToken ct) => RunAsync(["boot", Folder, host], ct);

    /// <summary>Gives it another host key, as a new installation has.</summary>
    public Task RekeyAsync(string host, CancellationToken ct) => RunAsync(["rekey", Folder, host], ct);

    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private static async Task RunAsync(string[] arguments, CancellationToken ct)
    {
        // Into a file: what it leaves running would keep a pipe open.
        var log = Path.Combine(arguments[1], "log");
        using var process = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", "\"$@\" >>\"$0\" 2>&1", log, Script!, .. arguments]))!;
        await process.WaitForExitAsync(ct);
        Assert.True(process.ExitCode == 0, await File.ReadAllTextAsync(log, ct));
    }

    private static string? FindScript()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "eng", "ssh-hosts.sh") is var script && File.Exists(script)) return script;
        return null;
    }
}
