using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Units;

namespace Puces.Providers.Ssh;

/// <summary>Looks at a host as a person would who wants to know why it does not serve.</summary>
internal sealed class SshCheck(SshCommand ssh, SshShell shell, string host, string? shared)
{
    public static async Task<CheckStep> ClientAsync(CancellationToken ct)
    {
        try
        {
            var (_, _, version) = await RunAsync(["-V"], ct);
            return new("ssh", true, version.Trim());
        }
        catch (ProviderException e)
        {
            return new("ssh", false, e.Message, "install OpenSSH's client where pucesd runs: apt install openssh-client");
        }
    }

    public async IAsyncEnumerable<CheckStep> StepsAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var (code, resolved, said) = await RunAsync(ssh.Resolving(), ct);
        var settings = resolved.Split('\n').Select(l => l.Split(' ', 2)).Where(w => w.Length == 2).GroupBy(w => w[0]).ToDictionary(g => g.Key, g => g.First()[1]);
        if (code != 0)
        {
            yield return Failed("configuration", SshTrouble.Of(ssh.Target, code, said));
            yield break;
        }
        yield return Step("configuration", true,
            $"{settings.GetValueOrDefault("user")}@{settings.GetValueOrDefault("hostname")}:{settings.GetValueOrDefault("port")}"
            + (settings.GetValueOrDefault("proxyjump") is { } jump ? $" through {jump}" : settings.ContainsKey("proxycommand") ? " through a jump host" : ""));

        // What a login shell prints of its own comes before the mark.
        (code, var answer, said) = await RunAsync(ssh.Running(Look), ct);
        if (code != 0)
        {
            yield return Failed("log in", SshTrouble.Of(ssh.Target, code, said));
            yield break;
        }
        var found = answer[(answer.LastIndexOf(Mark, StringComparison.Ordinal) + Mark.Length)..].Trim().Split('\n');
        string Found(string key) => found.FirstOrDefault(l => l.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..].Trim() ?? "";
        yield return Step("log in", true, $"{Found("user")} on {Found("name")}, {Found("system")}");
        if (long.TryParse(Found("free"), CultureInfo.InvariantCulture, out var free))
            yield return new($"{host}: disk", free > Least ? true : false, $"{new Memory(free * 1024)} free for {Found("folder")}", free > Least ? null : "make room there, or name another folder with folder");
        if (Found("kill") == "yes" && Found("linger") != "yes")
            yield return new($"{host}: logout", false, "systemd ends what a user has started when the last connection closes", $"on {host}: loginctl enable-linger {Found("user")}");
        if (Found("python").Length == 0) yield return new($"{host}: python", null, "there is no python3 on the path: jobs that call it will fail", "install it, name it by its path in the job, or let jobs bring an image");
        else yield return Step("python", true, Found("python"));
        if (shared is not null && Found("shared") != "yes")
        {
            yield return new($"{host}: shared folder", false, $"{shared} is not a folder that {Found("user")} can write to", "mount it there, or take shared out of the pool: checkpoints are then carried by the daemon");
            yield break;
        }
        await foreach (var step in RunnerAsync(ct)) yield return step;
    }

    /// <summary>Whether what one host writes into the shared folder is what all others find there.</summary>
    public static async Task<CheckStep> SharedAsync(string shared, IReadOnlyList<(string Name, SshCommand Ssh)> hosts, CancellationToken ct)
    {
        var name = $".puces-check-{Guid.NewGuid():N}";
        var path = CarriedRunner.Quoted($"{shared}/{name}");
        var (code, _, said) = await RunAsync(hosts[0].Ssh.Running($"echo {name} > {path}"), ct);
        if (code != 0) return new("shared folder", false, $"{hosts[0].Name} cannot write to {shared}: {said.Trim()}", "mount it, and let the user write there");
        try
        {
            foreach (var other in hosts.Skip(1))
                if ((await RunAsync(other.Ssh.Running($"cat {path}"), ct)).Output.Trim() != name)
                    return new("shared folder", false, $"what {hosts[0].Name} writes to {shared} is not there on {other.Name}: it is not the same folder", "mount the same file system on both, or take shared out of the pool");
        }
        finally
        {
            await RunAsync(hosts[0].Ssh.Running($"rm -f {path}"), ct);
        }
        return new("shared folder", true, $"{shared} is one folder on all hosts");
    }

    private const string Mark = "puces-check:\n";

    // Kibibytes that a runner, a work directory and a log want at least.
    private const long Least = 512 * 1024;

    private string Look => $"""
        d={shell.Folder}; mkdir -p "$d"; printf 'puces-check:\n'
        echo "user=$(id -un)"; echo "name=$(uname -n)"; echo "folder=$d"
        . /etc/os-release 2>/dev/null; echo "system=${"{PRETTY_NAME:-$(uname -sr)}"}, $(uname -m)"
        echo "free=$(df -Pk "$d" | awk 'NR == 2 {"{ print $4 }"}')"
        command -v python3 >/dev/null 2>&1 && echo "python=$(python3 -V 2>&1)"
        if command -v loginctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
          grep -rhsq '^KillUserProcesses=yes' /etc/systemd/logind.conf /etc/systemd/logind.conf.d && echo kill=yes
          echo "linger=$(loginctl show-user "$(id -un)" -p Linger --value 2>/dev/null)"
        fi
        {(shared is null ? "" : $"[ -d {CarriedRunner.Quoted(shared)} ] && [ -w {CarriedRunner.Quoted(shared)} ] && echo shared=yes")}
        true
        """;

    private async IAsyncEnumerable<CheckStep> RunnerAsync([EnumeratorCancellation] CancellationToken ct)
    {
        string answer;
        CheckStep? trouble = null;
        (answer, trouble) = await TryAsync(["version"], "runner", ct);
        yield return trouble ?? Step("runner", true, "puces-runner " + answer.Trim());
        if (trouble is not null) yield break;
        (answer, trouble) = await TryAsync(["devices"], "devices", ct);
        if (trouble is not null)
        {
            yield return trouble;
            yield break;
        }
        var devices = JsonSerializer.Deserialize(answer, RunnerJson.Default.IReadOnlyListDevice) ?? [];
        var text = string.Join(", ", devices.GroupBy(d => d.Model, StringComparer.Ordinal).Select(g => $"{g.Count()} × {g.Key}"));
        yield return devices.Count > 0
            ? Step("devices", true, text)
            : new($"{host}: devices", null, "no accelerator is found", "where there should be one, look whether its driver is loaded: nvidia-smi, rocm-smi or xpu-smi");
    }

    private async Task<(string Answer, CheckStep? Trouble)> TryAsync(IReadOnlyList<string> command, string what, CancellationToken ct)
    {
        try
        {
            await using var process = await shell.StartAsync(command, ct);
            process.Input.Close();
            var (code, answer, said) = await ReadAsync(process, ct);
            return code == 0 ? (answer, null) : (answer, new($"{host}: {what}", false, $"it ended with exit code {code}: {said.Trim()}", Hint(said)));
        }
        catch (ProviderException e)
        {
            return ("", Failed(what, e));
        }
    }

    private static string? Hint(string said) => said.Contains("GLIBC_", StringComparison.Ordinal) ? "the host needs glibc 2.34 or newer: Debian 12, Ubuntu 22.04, RHEL 9 or later" : null;

    private CheckStep Step(string what, bool isGood, string found) => new($"{host}: {what}", isGood, found);

    private CheckStep Failed(string what, ProviderException e) => new($"{host}: {what}", false, e.Message, e.Hint);

    private static async Task<(int Code, string Output, string Errors)> RunAsync(IReadOnlyList<string> arguments, CancellationToken ct)
    {
        await using var process = OwnProcess.Start(SshCommand.Program, arguments);
        process.Input.Close();
        return await ReadAsync(process, ct);
    }

    private static async Task<(int Code, string Output, string Errors)> ReadAsync(INodeProcess process, CancellationToken ct)
    {
        using var output = new StreamReader(process.Output);
        using var errors = new StreamReader(process.Errors);
        var said = errors.ReadToEndAsync(ct);
        var answer = await output.ReadToEndAsync(ct);
        return (await process.WaitAsync(ct), answer, await said);
    }
}
