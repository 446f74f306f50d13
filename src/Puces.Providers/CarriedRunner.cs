using System.Globalization;
using System.Text;

namespace Puces.Providers;

/// <summary>
/// The runner on another machine. A script there looks for the runner of this version, takes it over the same connection where it is not
/// there, and goes on to what is to be done.
/// </summary>
/// <param name="run">Starts a script of the Bourne shell there.</param>
/// <param name="trouble">What an exit code and the words on standard error mean.</param>
/// <param name="folder">Where Puces keeps its files there; null for <c>~/.puces</c>.</param>
/// <param name="runner">The native <c>puces-runner</c>.</param>
internal sealed class CarriedRunner(Func<string, CancellationToken, Task<INodeProcess>> run, Func<int, string, ProviderException> trouble, string? folder, string runner)
{
    private const string Mark = "puces-runner: ";
    private const int LongestGreeting = 64 * 1024;

    /// <summary>Where Puces keeps its files there, for a script.</summary>
    public string Folder => folder is null ? "\"$HOME\"/.puces" : Tilde(folder);

    /// <summary>Runs what is left to do; for its script <c>$r</c> is the runner and <c>$d</c> the folder.</summary>
    /// <exception cref="ProviderException">The machine cannot be reached, or the runner not be brought there.</exception>
    public async Task<INodeProcess> StartAsync(string script, CancellationToken ct)
    {
        var file = RunnerFile.Open(runner);
        var process = await run(Script(file, script), ct);
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

    /// <summary>A path as a word of the shell there, <c>~</c> being the home there.</summary>
    public static string Tilde(string path) =>
        path == "~" ? "\"$HOME\"" : path.StartsWith("~/", StringComparison.Ordinal) ? "\"$HOME\"/" + Quoted(path[2..]) : Quoted(path);

    /// <summary>As one word of a shell.</summary>
    public static string Quoted(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    // It must run in any Bourne shell. head -c takes exactly what is sent, and leaves the rest of the input to the runner.
    private string Script(RunnerFile file, string rest)
    {
        var script = new StringBuilder();
        script.Append(CultureInfo.InvariantCulture, $"set -e; umask 077; d={Folder}; mkdir -p \"$d\"; r=\"$d/puces-runner-{file.Digest}\"; ");
        script.Append("[ \"$(uname -s)-$(uname -m)\" = Linux-x86_64 ] || { echo \"this machine is $(uname -s) $(uname -m), and the runner is for Linux x86_64\" >&2; exit 126; }; ");
        script.Append(CultureInfo.InvariantCulture, $"if [ ! -x \"$r\" ]; then echo '{Mark}need'; head -c {file.Size} > \"$r.$$\"; [ \"$(wc -c < \"$r.$$\")\" -eq {file.Size} ] || {{ rm -f \"$r.$$\"; exit 1; }}; chmod 700 \"$r.$$\"; mv \"$r.$$\" \"$r\"; fi; ");
        return script.Append(CultureInfo.InvariantCulture, $"echo '{Mark}here'; {rest}").ToString();
    }

    /// <summary>The next word of the script. What a login shell prints before it is passed by.</summary>
    private static async Task<string> GreetingAsync(INodeProcess process, CancellationToken ct)
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

    private async Task<ProviderException> TroubleAsync(INodeProcess process, CancellationToken ct)
    {
        process.Input.Close();
        using var errors = new StreamReader(process.Errors);
        var said = await errors.ReadToEndAsync(ct);
        var code = await process.WaitAsync(ct);
        await process.DisposeAsync();
        return trouble(code, said);
    }
}
