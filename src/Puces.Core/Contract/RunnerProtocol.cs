using System.Globalization;
using System.Text.Json.Serialization;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Contract;

/// <summary>
/// What the daemon and a node's agent (<c>puces-runner agent</c>) say to each other over standard streams: one JSON object a line.
/// A <see cref="ToNode.Ping"/> that says so, and a <see cref="ToNode.Start"/>, renew the term of every attempt on the node: from the moment at
/// which the last answer was sent that the daemon has heard. So a message that was long on its way renews nothing.
/// </summary>
[JsonDerivedType(typeof(Start), "start")]
[JsonDerivedType(typeof(Stop), "stop")]
[JsonDerivedType(typeof(Checkpoint), "checkpoint")]
[JsonDerivedType(typeof(Follow), "follow")]
[JsonDerivedType(typeof(Acknowledge), "acknowledge")]
[JsonDerivedType(typeof(Ping), "ping")]
public abstract record ToNode
{
    private ToNode() { }

    /// <summary>Start a rank; the same tag again changes nothing. Its log is followed from the beginning.</summary>
    public sealed record Start(RankOrder Order) : ToNode;

    /// <summary>Send the checkpoint signal, wait for the grace, then end all its processes. Unknown tags are answered with <see cref="FromNode.Gone"/>.</summary>
    public sealed record Stop(string Tag, string Reason) : ToNode;

    /// <summary>Send the checkpoint signal and let it go on.</summary>
    public sealed record Checkpoint(string Tag) : ToNode;

    /// <summary>Send the rank's log from this byte on, and whatever comes after.</summary>
    public sealed record Follow(string Tag, long Offset) : ToNode;

    /// <summary>The verdict is stored by the daemon: delete what is kept of the rank, except its job's work directory and checkpoints.</summary>
    public sealed record Acknowledge(string Tag) : ToNode;

    /// <summary>Answered with <see cref="FromNode.Pong"/>.</summary>
    /// <param name="Heard">The last pong that has come; zero for the hello alone.</param>
    /// <param name="Renews">The engine knows of this connection: the terms go on.</param>
    public sealed record Ping(long Heard = 0, bool Renews = true) : ToNode;
}

/// <summary>What a node's agent says. The first line is <see cref="Hello"/>.</summary>
[JsonDerivedType(typeof(Hello), "hello")]
[JsonDerivedType(typeof(Report), "report")]
[JsonDerivedType(typeof(Log), "log")]
[JsonDerivedType(typeof(Gone), "gone")]
[JsonDerivedType(typeof(Problem), "problem")]
[JsonDerivedType(typeof(Pong), "pong")]
public abstract record FromNode
{
    private FromNode() { }

    /// <summary>The node, and every rank on it that has not been acknowledged.</summary>
    /// <param name="MilliCpus">What the node found of itself.</param>
    /// <param name="Limits"><c>cgroup1</c>, <c>cgroup2</c> or <c>none</c>: how CPU and memory limits are kept.</param>
    /// <param name="Address">Where other nodes reach it: what it was told, or where this connection came in; null where neither is known.</param>
    /// <param name="Engine">
    /// The container engine that works there: <c>docker</c>, <c>podman</c>, <c>apptainer</c>, <c>enroot</c>; <c>inside</c> where the runner stands
    /// in the job's image already; null where none does.
    /// </param>
    public sealed record Hello(
        string Version, IReadOnlyList<Device> Devices, int MilliCpus, long Memory, string Limits, IReadOnlyList<RankReport> Ranks,
        string? Address = null, string? Engine = null) : FromNode;

    /// <summary>A rank has changed.</summary>
    public sealed record Report(RankReport Rank) : FromNode;

    /// <summary>Bytes of a rank's log, from <paramref name="Offset"/>. They are base64 in JSON.</summary>
    /// <param name="Data">Whole lines, as the log's format has them.</param>
    /// <param name="IsLast">The rank has ended and there is no more.</param>
    /// <param name="DroppedLines">
    /// Lines that the node no longer had between the end of the last message and <paramref name="Offset"/>, which then lies beyond it.
    /// </param>
    public sealed record Log(string Tag, long Offset, byte[] Data, bool IsLast, long DroppedLines = 0) : FromNode;

    /// <summary>Nothing of this tag is on the node.</summary>
    public sealed record Gone(string Tag) : FromNode;

    /// <summary>Something that a person should know; of a tag, or of the node.</summary>
    public sealed record Problem(string? Tag, string Message) : FromNode;

    /// <param name="Number">Counts from 1 on each connection.</param>
    public sealed record Pong(long Number = 0) : FromNode;
}

/// <summary>The tag of a rank: <c>job-attempt.rank</c>, such as <c>42-1.0</c>.</summary>
public static class RankTag
{
    public static string Of(AttemptId attempt, int rank) => $"{attempt}.{rank}";

    public static bool TryParse(string tag, out AttemptId attempt, out int rank)
    {
        (attempt, rank) = (default, 0);
        var dot = tag.LastIndexOf('.');
        return dot > 0 && AttemptId.TryParse(tag[..dot], out attempt)
            && int.TryParse(tag.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out rank);
    }
}

/// <summary>Where a rank stands on its node.</summary>
public enum RankPhase
{
    /// <summary>Unpacking, or about to.</summary>
    Starting,
    /// <summary>The setup script runs.</summary>
    Setup,
    /// <summary>The user's command runs.</summary>
    Run,
    /// <summary>Ended, with a verdict.</summary>
    Ended,
    /// <summary>Its watcher is gone and left no verdict; nothing of it runs any more.</summary>
    Vanished,
    /// <summary>It could not be started; nothing of it is left.</summary>
    Refused,
}

/// <summary>A rank as its node sees it.</summary>
/// <param name="Tag"><c>job-attempt.rank</c>, such as <c>42-1.0</c>.</param>
/// <param name="LogLength">Bytes logged so far, dropped ones included.</param>
/// <param name="Checkpoint">Name of the newest whole checkpoint, if any.</param>
public sealed record RankReport(
    string Tag, RankPhase Phase, long LogLength, DateTimeOffset? Started = null, Verdict? Verdict = null, string? Checkpoint = null, string? Detail = null);

/// <summary>Everything that a node needs to run one rank of an attempt.</summary>
/// <param name="Number">The attempt's fencing number.</param>
/// <param name="Hosts">Addresses of all ranks, in rank order; the first is the rendezvous.</param>
/// <param name="Workdir">SHA-256 of the packed work directory, in lower-case hex; null for an empty one.</param>
/// <param name="Mounts">Path in the work directory → SHA-256 of a packed file or folder.</param>
/// <param name="Env">The user's variables.</param>
/// <param name="Secrets">Variables that must never be written to a log, a listing or a command line.</param>
/// <param name="EnforceLimits">Keep CPU and memory limits with cgroups; false on virtual nodes.</param>
/// <param name="Term">How long the rank goes on without a word from the daemon; null for ever.</param>
/// <param name="GpuShare">Thousandths of its one device that it may use; null where its devices are its own.</param>
/// <param name="Restore">
/// A checkpoint that an earlier attempt wrote on another node: SHA-256 of the packed folder or file, which is unpacked where the job saves
/// itself unless it is there; null for none.
/// </param>
/// <param name="Image">The container image to run in; null for none.</param>
/// <param name="Engine">The node's engine, as its hello had it; null where it has none.</param>
/// <param name="LogLimit">Bytes of log kept on the node; the oldest after the first segment are dropped beyond.</param>
public sealed record RankOrder(
    JobId Job, int Number, int Rank, string JobName, string Project, IReadOnlyList<string> Hosts, int MasterPort,
    RunCommand Run, string? Setup, string? Workdir, IReadOnlyDictionary<string, string> Mounts,
    IReadOnlyDictionary<string, string> Env, IReadOnlyDictionary<string, string> Secrets,
    IReadOnlyList<Device> Devices, int MilliCpus, long Memory, bool EnforceLimits,
    CheckpointSpec Checkpoint, TimeSpan? Limit, TimeSpan? Term, long LogLimit, int? GpuShare = null, PackedCheckpoint? Restore = null,
    string? Image = null, string? Engine = null)
{
    public string Tag => $"{Job}-{Number}.{Rank}";
}

/// <summary>A checkpoint that was brought away from its node.</summary>
/// <param name="Name">Of the folder or file.</param>
/// <param name="Blob">SHA-256 of the packed bytes, in lower-case hex.</param>
public sealed record PackedCheckpoint(string Name, string Blob);

/// <summary>JSON of the runner protocol.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ToNode))]
[JsonSerializable(typeof(FromNode))]
public sealed partial class RunnerJson : JsonSerializerContext;
