namespace Puces.Providers.Ssh;

/// <summary>What OpenSSH says when it fails, and what to do about it. Its words are those of OpenSSH 7 to 10.</summary>
internal static class SshTrouble
{
    /// <param name="said">Its standard error.</param>
    public static ProviderException Of(string target, int code, string said)
    {
        var last = said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? $"ssh ended with exit code {code}";
        bool Says(string words) => said.Contains(words, StringComparison.OrdinalIgnoreCase);
        if (Says("REMOTE HOST IDENTIFICATION HAS CHANGED"))
            return new(Remedy.Ask, $"{target} shows another host key than before: it was installed anew, or somebody stands between", $"make sure which, then: ssh-keygen -R {Host(target)} -f {KnownHosts(said) ?? "its known_hosts"}");
        if (Says("Host key verification failed")) return new(Remedy.Ask, $"the host key of {target} is not accepted: {last}", $"log in once by hand: ssh {target}");
        if (Says("Permission denied (") || Says("Too many authentication failures"))
            return new(Remedy.Ask, $"{target} does not let us in: {last}", $"ssh {target} true, as the user that runs pucesd; name the private key with key");
        if (Says("Identity file") || Says("Load key")) return new(Remedy.Ask, $"{target}: {last}", "name a readable private key with key");
        if (Says("Could not resolve hostname")) return new(Remedy.Ask, $"nobody knows a host {Host(target)}", "write its address as host, or an alias of ~/.ssh/config");
        if (Says("Bad configuration option") || Says("bad configuration options")) return new(Remedy.Ask, $"the ssh configuration has a mistake: {last}", "mend ~/.ssh/config");
        if (Says("Connection refused")) return new(Remedy.Retry, $"{target} refuses connections: {last}", "is sshd running there, on that port?");
        if (Says("timed out") || Says("No route to host") || Says("Network is unreachable"))
            return new(Remedy.Retry, $"{target} cannot be reached: {last}", "is it on, and is the network between open?");
        if (Says("No space left on device")) return new(Remedy.Retry, $"the disk of {target} is full: {last}", "make room there");
        return new(Remedy.Retry, $"{target}: {last}");
    }

    private static string Host(string target) => target[(target.IndexOf('@', StringComparison.Ordinal) + 1)..];

    // Offending ECDSA key in /var/lib/puces/ssh/known_hosts:3
    private static string? KnownHosts(string said)
    {
        var at = said.IndexOf("Offending ", StringComparison.Ordinal);
        at = at < 0 ? at : said.IndexOf(" key in ", at, StringComparison.Ordinal);
        if (at < 0) return null;
        var file = said[(at + " key in ".Length)..].Split('\n')[0].Trim();
        return file[..(file.LastIndexOf(':') is > 0 and var colon ? colon : file.Length)];
    }
}
