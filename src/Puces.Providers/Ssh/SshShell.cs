using System.Globalization;
using System.Text;
using Puces.Core.Fleet;

namespace Puces.Providers.Ssh;

/// <summary>
/// The way to a host of an ssh pool. A script looks for the runner of this version, takes it over the same connection where it is not there,
/// and becomes it.
/// </summary>
/// <param name="instance">Keeps the files of several daemons on one host apart.</param>
internal sealed class SshShell(SshCommand ssh, SshPool pool, SshHost host, string runner, string instance) : INodeShell
{
    private const string Mark = "puces-runner: ";
    private const int LongestGreeting = 64 * 1024;

    public bool SharesBlobs => false;

    public async Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct)
    {
        var file = RunnerFile.Open(runner);
        var process = OwnProcess.Start(SshCommand.Program, ssh.Running(Script(file, command)));
        try
        {
            if (await GreetingAsync(process, ct) == "need")
            {
                await using (var content = File.OpenRead(file.Path)) await content.CopyToAsync(process.Input, ct);
                await process.Input.FlushAsync(ct);
                await GreetingAsync(process, ct);
            }
            return process;
        }
        catch (Exception e) when (e is IOException or EndOfStreamException)
        {
            throw await TroubleAsync(process, ct);
        }
        catch
        {
            process.Kill();
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the runner's files are called on the host, for a script there.</summary>
    public string Folder => pool.Folder is { } folder ? Tilde(folder) : "\"$HOME\"/.puces";

    // It must run in any Bourne shell. head -c takes exactly what is sent, and leaves the rest of the input to the runner.
    private string Script(RunnerFile file, IReadOnlyList<string> command)
    {
        var script = new StringBuilder();
        script.Append(CultureInfo.InvariantCulture, $"set -e; umask 077; d={Folder}; mkdir -p \"$d\"; r=\"$d/puces-runner-{file.Digest}\"; ");
        script.Append("[ \"$(uname -s)-$(uname -m)\" = Linux-x86_64 ] || { echo \"this machine is $(uname -s) $(uname -m), and the runner is for Linux x86_64\" >&2; exit 126; }; ");
        script.Append(CultureInfo.InvariantCulture, $"if [ ! -x \"$r\" ]; then echo '{Mark}need'; head -c {file.Size} > \"$r.$$\"; [ \"$(wc -c < \"$r.$$\")\" -eq {file.Size} ] || {{ rm -f \"$r.$$\"; exit 1; }}; chmod 700 \"$r.$$\"; mv \"$r.$$\" \"$r\"; fi; ");
        if (pool.Shared is { } shared) script.Append(CultureInfo.InvariantCulture, $"export PUCES_SHARED={Tilde(shared)}; ");
        if (host.Address is { } address) script.Append(CultureInfo.InvariantCulture, $"export PUCES_ADDRESS={SshCommand.Quoted(address)}; ");
        script.Append(CultureInfo.InvariantCulture, $"echo '{Mark}here'; exec \"$r\" {string.Join(' ', command.Select(SshCommand.Quoted))} --root \"$d/{instance}\" --blobs \"$d/{instance}/blobs\"");
        return script.ToString();
    }

    private static string Tilde(string path) =>
        path == "~" ? "\"$HOME\"" : path.StartsWith("~/", StringComparison.Ordinal) ? "\"$HOME\"/" + SshCommand.Quoted(path[2..]) : SshCommand.Quoted(path);

    /// <summary>The next word of the script. What a login shell prints before it is passed by.</summary>
    private static async Task<string> GreetingAsync(OwnProcess process, CancellationToken ct)
    {
        var line = new List<byte>();
        var one = new byte[1];
        for (var read = 0; read < LongestGreeting; read++)
        {
            // Byte by byte: what follows belongs to the runner.
            if (await process.Output.ReadAsync(one, ct) == 0) throw new EndOfStreamException();
            if (one[0] != '\n')
            {
                line.Add(one[0]);
                continue;
            }
            var text = Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
            if (text.StartsWith(Mark, StringComparison.Ordinal)) return text[Mark.Length..];
            line.Clear();
        }
        throw new EndOfStreamException();
    }

    private async Task<ProviderException> TroubleAsync(OwnProcess process, CancellationToken ct)
    {
        process.Input.Close();
        using var errors = new StreamReader(process.Errors);
        var said = await errors.ReadToEndAsync(ct);
        var code = await process.WaitAsync(ct);
        await process.DisposeAsync();
        return SshTrouble.Of(ssh.Target, code, said);
    }
}
