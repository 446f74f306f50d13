using System.CommandLine;
using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Cli.Commands;

/// <summary>How machines are reached by SSH, on the command line.</summary>
internal sealed class SshOptions
{
    private readonly Option<string[]> _hosts = new("--host") { HelpName = "[USER@]HOST[:PORT]", Description = "A machine of an ssh pool; may be repeated. NAME=HOST calls it otherwise here" };
    private readonly Option<string?> _user = new("--user") { HelpName = "NAME", Description = "Who to log in as; what ~/.ssh/config says, unless given" };
    private readonly Option<int?> _port = new("--port") { HelpName = "N", Description = "Port of sshd" };
    private readonly Option<string?> _key = new("--key") { HelpName = "FILE", Description = "Private key, on the server's machine" };
    private readonly Option<string?> _jump = new("--jump") { HelpName = "[USER@]HOST[:PORT]", Description = "Host to go through" };
    private readonly Option<string?> _shared = new("--shared") { HelpName = "DIR", Description = "What all machines see, for checkpoints: a folder; with kubernetes, the name of a volume claim or a folder of the nodes" };

    public SshOptions(Command command)
    {
        foreach (var option in (Option[])[_hosts, _user, _port, _key, _jump, _shared]) command.Options.Add(option);
    }

    public SshPool Read(ParseResult parsed, string pool)
    {
        var hosts = parsed.GetValue(_hosts) ?? [];
        if (hosts.Length == 0) throw CommandException.Usage("no host is given", $"puces pools add ssh {pool} --host gpu1");
        return new([.. hosts.Select(HostOf)], parsed.GetValue(_user), parsed.GetValue(_port), Key(parsed), parsed.GetValue(_jump), null, null, parsed.GetValue(_shared));
    }

    public string? Shared(ParseResult parsed) => parsed.GetValue(_shared);

    /// <summary>A single host with the settings that stand beside it.</summary>
    public SshHost One(ParseResult parsed, string given) =>
        HostOf(given) is var host ? host with { User = host.User ?? parsed.GetValue(_user), Port = host.Port ?? parsed.GetValue(_port), Key = Key(parsed), Jump = parsed.GetValue(_jump) } : host;

    // The server may run in another folder; it is often on this machine.
    private string? Key(ParseResult parsed) => parsed.GetValue(_key) is not { } path || path.StartsWith('~') ? parsed.GetValue(_key) : Path.GetFullPath(path);

    // NAME=USER@HOST:PORT, of which only HOST must be there.
    private static SshHost HostOf(string given)
    {
        var (name, rest) = given.Split('=', 2) is [var left, var right] ? (left, right) : (null, given);
        var (user, address) = rest.Split('@', 2) is [var who, var where] ? (who, where) : (null, rest);
        var colon = address.LastIndexOf(':');
        var port = 0;
        var hasPort = colon > 0 && address.IndexOf(':', StringComparison.Ordinal) == colon && int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
        var host = hasPort ? address[..colon] : address;
        if (host.Length == 0) throw CommandException.Usage($"--host {given}: names no host", "--host vera@10.0.0.7:2222");
        var called = name ?? JobName.FittingTo(host);
        return new(called, called == host ? null : host, user, hasPort ? port : null);
    }
}

/// <summary>What is asked of a Slurm cluster, on the command line.</summary>
internal sealed class SlurmOptions
{
    private readonly Option<string[]> _partitions = new("--partition") { HelpName = "NAME", Description = "A partition of a slurm pool, the preferred first; may be repeated; all, unless given" };
    private readonly Option<string?> _login = new("--login") { HelpName = "[USER@]HOST[:PORT]", Description = "Where Slurm's commands are; the server's own machine, unless given" };
    private readonly Option<string?> _account = new("--account") { HelpName = "NAME", Description = "Whom Slurm charges" };
    private readonly Option<string?> _qos = new("--qos") { HelpName = "NAME", Description = "Slurm's quality of service" };
    private readonly Option<string?> _constraint = new("--constraint") { HelpName = "FEATURES", Description = "Features that a node must have, as sbatch takes them" };
    private readonly Option<string[]> _options = new("--option") { HelpName = "--WORD", Description = "One more option for sbatch, such as --option=--reservation=gpus; may be repeated" };
    private readonly Option<string?> _time = new("--time") { HelpName = "20h", Description = "How long Slurm is asked for nodes where a job names no limit" };
    private readonly Option<bool> _exclusive = new("--exclusive") { Description = "Take whole nodes, also for a few of their devices" };
    private readonly Option<string?> _model = new("--model") { HelpName = "NAME", Description = "What the devices are, where Slurm names no type" };
    private readonly Option<string?> _config = new("--slurm-conf") { HelpName = "FILE", Description = "A slurm.conf that is not where Slurm looks for it" };

    public SlurmOptions(Command command)
    {
        foreach (var option in (Option[])[_partitions, _login, _account, _qos, _constraint, _options, _time, _exclusive, _model, _config]) command.Options.Add(option);
    }

    public SlurmPool Read(ParseResult parsed, SshOptions ssh)
    {
        TimeSpan? time = parsed.GetValue(_time) is not { } text ? null
            : Durations.TryParse(text, out var length) ? length : throw CommandException.Usage($"--time {text} is no duration", $"--time {Durations.Guess(text) ?? "20h"}");
        return new(
            parsed.GetValue(_partitions) ?? [], parsed.GetValue(_login) is { } login ? ssh.One(parsed, login) : null, parsed.GetValue(_account), parsed.GetValue(_qos),
            parsed.GetValue(_constraint), parsed.GetValue(_options) is { Length: > 0 } options ? options : null, null, time, parsed.GetValue(_exclusive), false,
            parsed.GetValue(_model), parsed.GetValue(_config));
    }
}
