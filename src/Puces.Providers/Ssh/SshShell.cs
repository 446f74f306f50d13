using System.Globalization;
using System.Text;
using Puces.Core.Fleet;

namespace Puces.Providers.Ssh;

/// <summary>The way to a host of an ssh pool.</summary>
/// <param name="instance">Keeps the files of several daemons on one host apart.</param>
internal sealed class SshShell(SshCommand ssh, SshPool pool, SshHost host, string runner, string instance) : INodeShell
{
    private readonly CarriedRunner _runner = new(
        (script, _) => Task.FromResult<INodeProcess>(OwnProcess.Start(SshCommand.Program, ssh.Running(script))), (code, said) => SshTrouble.Of(ssh.Target, code, said), pool.Folder, runner);

    public bool SharesBlobs => false;

    public Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct)
    {
        var script = new StringBuilder();
        if (pool.Shared is { } shared) script.Append(CultureInfo.InvariantCulture, $"export PUCES_SHARED={CarriedRunner.Tilde(shared)}; ");
        if (host.Address is { } address) script.Append(CultureInfo.InvariantCulture, $"export PUCES_ADDRESS={CarriedRunner.Quoted(address)}; ");
        script.Append(CultureInfo.InvariantCulture, $"exec \"$r\" {string.Join(' ', command.Select(CarriedRunner.Quoted))} --root \"$d/{instance}\" --blobs \"$d/{instance}/blobs\"");
        return _runner.StartAsync(script.ToString(), ct);
    }

    /// <summary>Where Puces keeps its files on the host, for a script there.</summary>
    public string Folder => _runner.Folder;
}
