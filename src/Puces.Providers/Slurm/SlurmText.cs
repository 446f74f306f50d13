using System.Globalization;
using System.Text.RegularExpressions;

namespace Puces.Providers.Slurm;

/// <summary>A node of a partition, as <c>sinfo</c> has it.</summary>
/// <param name="Gpus">Slurm's name of the type (empty where it names none) → how many there are, and how many of them are taken.</param>
/// <param name="MemoryMib">In mebibytes, as Slurm counts it.</param>
/// <param name="Longest">The partition's limit; null for none.</param>
internal sealed record SlurmNode(
    string Name, string Partition, bool IsPartitionUp, TimeSpan? Longest, string State, IReadOnlyList<(string Type, int Count, int Taken)> Gpus, int Cpus, int FreeCpus, long MemoryMib)
{
    // Of the long states (sinfo, "node state codes"); what follows the word is a flag.
    private static readonly string[] Serving = ["idle", "mixed", "allocated", "planned", "completing"];

    /// <summary>It takes jobs, now or when what runs on it has ended: neither down nor drained, and it answers.</summary>
    public bool Serves => Array.IndexOf(Serving, State.TrimEnd('~', '#', '@', '^', '-')) >= 0;

    public bool IsIdle => Serves && FreeCpus == Cpus;
}

/// <summary>A job of ours, as <c>squeue</c> has it.</summary>
/// <param name="Start">When it started, or is expected to; null where Slurm does not say.</param>
internal sealed record SlurmJob(long Id, string State, string Reason, DateTimeOffset? Start, string Comment);

/// <summary>
/// Reads what Slurm's commands print, in forms that we ask for (<c>sinfo</c> and <c>squeue</c>, manuals of 20.11 to 25.05: fields with a
/// suffix are of 20.02).
/// </summary>
internal static partial class SlurmText
{
    public const string NodeFields = "NodeList:|,PartitionName:|,Available:|,Time:|,StateLong:|,Gres:|,GresUsed:|,CPUsState:|,Memory:|";

    /// <summary>Times come in seconds since 1970: the daemon may be in another zone than the cluster.</summary>
    public const string JobFields = "%i|%T|%r|%S|%k", TimeFormat = "SLURM_TIME_FORMAT=%s";

    /// <summary>Lines of <see cref="NodeFields"/>; one that is none is passed by.</summary>
    public static IEnumerable<SlurmNode> Nodes(string text)
    {
        foreach (var line in text.Split('\n'))
        {
            if (line.Split('|', StringSplitOptions.TrimEntries) is not [var name, var partition, var available, var time, var state, var gres, var used, var cpus, var memory, ..]) continue;
            var taken = Gpus(used).ToLookup(g => g.Type, g => g.Count);
            var gpus = Gpus(gres).GroupBy(g => g.Type).Select(g => (g.Key, g.Sum(x => x.Count), taken[g.Key].Sum())).ToList();
            // Allocated, idle, other, total.
            var counts = cpus.Split('/').Select(Whole).ToArray();
            if (counts.Length < 4) continue;
            yield return new(name, partition.TrimEnd('*'), available == "up", Time(time), state, gpus, (int)counts[3], (int)counts[1], Whole(memory));
        }
    }

    /// <summary>Lines of <see cref="JobFields"/>; one that is none is passed by.</summary>
    public static IEnumerable<SlurmJob> Jobs(string text)
    {
        foreach (var line in text.Split('\n'))
            if (line.Split('|', 5, StringSplitOptions.TrimEntries) is [var id, var state, var reason, var start, var comment] && long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                yield return new(number, state, reason, Whole(start) is > 0 and var seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null, comment);
    }

    /// <summary>Such as <c>gpu:a100:4(S:0-1),gpu:2,nvme:1</c>: the GPUs.</summary>
    public static IEnumerable<(string Type, int Count)> Gpus(string gres)
    {
        foreach (var one in Bracketed.Replace(gres, "").Split(','))
            if (one.Split(':') is ["gpu", .. var rest] && rest is [.., var count])
                yield return (rest.Length > 1 ? rest[0] : "", (int)Whole(count));
    }

    /// <summary>Such as <c>2-00:00:00</c>, <c>4:00:00</c> or <c>30:00</c>; null for no limit.</summary>
    public static TimeSpan? Time(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var parts = text[(dash + 1)..].Split(':').Select(Whole).ToArray();
        if (parts.Length < 2) return null;
        var seconds = parts.Aggregate(0L, (sum, part) => sum * 60 + part);
        return TimeSpan.FromDays(dash > 0 ? Whole(text[..dash]) : 0) + TimeSpan.FromSeconds(seconds);
    }

    /// <summary>Why a job waits, in words, with Slurm's own code behind them (<c>squeue</c>, "job reason codes").</summary>
    public static string Waiting(string reason) => reason switch
    {
        "Resources" => "the nodes that it needs are taken (Resources)",
        "Priority" => "jobs of a higher priority wait before it (Priority)",
        "Dependency" => "it waits for another job (Dependency)",
        "BeginTime" => "it may not begin yet (BeginTime)",
        "PartitionDown" or "PartitionInactive" => $"its partition is closed ({reason})",
        "PartitionTimeLimit" => "it asks for more time than its partition gives (PartitionTimeLimit)",
        "PartitionNodeLimit" => "it asks for more nodes than its partition gives (PartitionNodeLimit)",
        "Reservation" => "its reservation has not begun (Reservation)",
        "JobHeldUser" or "JobHeldAdmin" => $"somebody holds it ({reason}): scontrol release lets it go",
        "None" or "" => "Slurm has not looked at it yet",
        _ when reason.StartsWith("ReqNodeNotAvail", StringComparison.Ordinal) => $"nodes that it needs are down or reserved ({reason})",
        _ when reason.StartsWith("QOS", StringComparison.Ordinal) => $"its QOS has reached a limit ({reason})",
        _ when reason.StartsWith("Assoc", StringComparison.Ordinal) => $"its account has reached a limit ({reason})",
        _ => reason,
    };

    [GeneratedRegex(@"\([^)]*\)")]
    private static partial Regex Bracketed { get; }

    private static long Whole(string text) => long.TryParse(text.TrimEnd('+'), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;
}
