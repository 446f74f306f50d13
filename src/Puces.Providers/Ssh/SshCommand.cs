using System.Globalization;
using Puces.Core.Fleet;

namespace Puces.Providers.Ssh;

/// <summary>How OpenSSH's client is called for a host: it brings the user's own configuration, agents, certificates and jump hosts.</summary>
/// <param name="knownHosts">Where host keys that were met are kept, beside the user's own.</param>
/// <param name="term">How long attempts go on unheard: a dead connection is noticed well before.</param>
internal sealed class SshCommand(SshPool pool, SshHost host, string knownHosts, TimeSpan term)
{
    public const string Program = "ssh";

    /// <summary>What is connected to, as a person would write it.</summary>
    public string Target => (host.User ?? pool.User) is { } user ? $"{user}@{host.Host ?? host.Name}" : host.Host ?? host.Name;

    /// <summary>Arguments that run a script of the Bourne shell on the host, whatever the user's login shell is.</summary>
    /// <param name="through">The socket of a connection to be shared; null for a connection of its own.</param>
    /// <param name="isMaster">It makes that connection.</param>
    public IReadOnlyList<string> Running(string script, string? through = null, bool isMaster = false) =>
        ["-o", "ControlPath=" + (through is null ? "none" : Escaped(through)), "-o", "ControlMaster=" + (isMaster ? "yes" : "no"), .. Options(), "-T", "--", Target, "exec sh -c " + CarriedRunner.Quoted(script)];

    /// <summary>Arguments that print what OpenSSH makes of all configuration, without connecting.</summary>
    public IReadOnlyList<string> Resolving() => ["-o", "ControlPath=none", .. Options(), "-G", "--", Target];

    private List<string> Options()
    {
        var alive = Math.Clamp((int)(term.TotalSeconds / 12), 1, 15).ToString(CultureInfo.InvariantCulture);
        // Nobody is there to be asked. A key is taken the first time and must be the same ever after.
        List<string> options =
        [
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", $"UserKnownHostsFile={Escaped(knownHosts)} ~/.ssh/known_hosts",
            "-o", "ConnectTimeout=" + alive, "-o", "ServerAliveInterval=" + alive, "-o", "ServerAliveCountMax=3", "-o", "ForwardAgent=no",
        ];
        if (pool.Config is { } config) options.InsertRange(0, ["-F", config]);
        if ((host.Key ?? pool.Key) is { } key) options.AddRange(["-i", key, "-o", "IdentitiesOnly=yes"]);
        // Options are not handed on to the jump host by -J; a command of our own has them all.
        if ((host.Jump ?? pool.Jump) is { Length: > 0 } jump) options.AddRange(["-o", "ProxyCommand=" + Through(jump, ["-o", "ControlPath=none", .. options])]);
        if ((host.Port ?? pool.Port) is { } port) options.AddRange(["-p", port.ToString(CultureInfo.InvariantCulture)]);
        return options;
    }

    private static string Through(string jump, IEnumerable<string> options)
    {
        var colon = jump.LastIndexOf(':');
        var port = colon > jump.LastIndexOf(']') && int.TryParse(jump.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        IEnumerable<string> words = [Program, .. options, .. port > 0 ? ["-p", jump[(colon + 1)..]] : (string[])[], "-W", "[%h]:%p", "--", port > 0 ? jump[..colon] : jump];
        // Of a percent sign that was meant, OpenSSH wants two.
        return string.Join(' ', words.Select(w => w == "[%h]:%p" ? w : CarriedRunner.Quoted(w.Replace("%", "%%", StringComparison.Ordinal))));
    }

    // Words of an option are parted by blanks; a percent sign begins a token.
    private static string Escaped(string path) => "\"" + path.Replace("%", "%%", StringComparison.Ordinal) + "\"";
}
