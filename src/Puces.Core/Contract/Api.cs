using System.Text.Json.Serialization;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Contract;

/// <summary>Body of <c>POST /api/v1/jobs</c>.</summary>
/// <param name="Spec">The job, checked by the client and again by the server.</param>
/// <param name="Owner">Who asks, as the client says; the token's owner where tokens have one.</param>
/// <param name="Workdir">SHA-256 of the packed work directory, uploaded before.</param>
/// <param name="Mounts">Path in the work directory → SHA-256 of the packed file or folder, uploaded before.</param>
public sealed record SubmitJob(JobSpec Spec, string Owner = "", string? Workdir = null, IReadOnlyDictionary<string, string>? Mounts = null);

/// <summary>Body of <c>POST /api/v1/jobs/batch</c>: all are queued, or none.</summary>
public sealed record SubmitJobs(IReadOnlyList<SubmitJob> Jobs);

/// <summary>Reply to a batch: ids in the order of the request.</summary>
public sealed record SubmittedJobs(IReadOnlyList<long> Ids);

/// <summary>A job as people see it.</summary>
/// <param name="State">queued, starting, running, stopping, succeeded, failed or cancelled.</param>
/// <param name="Position">Place in the line, from 1; null once it has left it.</param>
/// <param name="Reason">Why it waits, or how it ended.</param>
/// <param name="Request">What it asks for, such as <c>2 × H100:8</c>.</param>
/// <param name="Nodes">The nodes and devices that it holds, or null.</param>
/// <param name="Attempt">Number of the last attempt; 0 before the first.</param>
/// <param name="ExitCode">The job's exit code once it has ended.</param>
/// <param name="IsVirtual">It holds virtual devices.</param>
/// <param name="Estimate">When it is likely to start, while it waits; null where nobody can say.</param>
public sealed record JobView(
    long Id, string Name, string Project, string Owner, string State, int Priority, string Request, DateTimeOffset Submitted,
    int? Position = null, string? Reason = null, string? Nodes = null, int Attempt = 0, DateTimeOffset? Started = null,
    DateTimeOffset? Ended = null, int? ExitCode = null, string? Checkpoint = null, bool IsVirtual = false, Estimate? Estimate = null)
{
    /// <summary>True once nothing more will happen to the job.</summary>
    [JsonIgnore]
    public bool IsOver => State is "succeeded" or "failed" or "cancelled";
}

/// <summary>A page of a list. <paramref name="Next"/> is the cursor of the next one; null at the end.</summary>
public sealed record JobPage(IReadOnlyList<JobView> Jobs, string? Next = null);

/// <summary>Everything about one job.</summary>
public sealed record JobDetail(JobView Job, JobSpec Spec, IReadOnlyList<AttemptView> Attempts, string? Workdir = null);

/// <summary>One try at running a job. <paramref name="Decided"/> is when its start was; what has not happened yet is null.</summary>
/// <param name="Preempted">When it was told to leave its devices, to another job or because a node closed.</param>
/// <param name="Saved">When the newest checkpoint was heard of.</param>
/// <param name="Saves">How many it wrote; null for none.</param>
public sealed record AttemptView(
    int Number, IReadOnlyList<string> Nodes, DateTimeOffset Decided, DateTimeOffset? Started = null, DateTimeOffset? Ended = null,
    int? ExitCode = null, string? Reason = null, double? CpuSeconds = null, long? PeakMemoryBytes = null, string? Checkpoint = null,
    DateTimeOffset? Preempted = null, DateTimeOffset? Saved = null, int? Saves = null);

/// <summary>What the server remembers, a page at a time: jobs by their numbers, with all that a replay needs.</summary>
/// <param name="Nodes">Those of the pools now, as they are when nobody holds anything; on the first page only.</param>
/// <param name="At">When this was read: jobs that hold devices have held them until then.</param>
/// <param name="Next">Give it back as <c>after</c> for the next page; null at the end.</param>
/// <param name="Windows">When nodes were and will be closed, those that are over or removed too; on the first page only.</param>
public sealed record HistoryPage(
    IReadOnlyList<JobDetail> Jobs, IReadOnlyList<HistoryNode> Nodes, DateTimeOffset At, long? Next = null, IReadOnlyList<Window>? Windows = null);

/// <summary>A node with everything that it has.</summary>
/// <param name="Memory">Bytes.</param>
/// <param name="Place">Where it stands, such as <c>dc1/row2/rack7</c>; null where nobody said.</param>
public sealed record HistoryNode(string Id, string Pool, IReadOnlyList<HistoryDevice> Devices, double Cpus, long Memory, string? Place = null);

/// <param name="Memory">Bytes; zero where unknown.</param>
/// <param name="Island">Devices of a node with the same number are joined by fast links; null for none.</param>
public sealed record HistoryDevice(int Index, string Model, string Vendor, long Memory, int? Island = null);

/// <summary>Why a job waits (invariant 9), or where it is.</summary>
/// <param name="Needs">What it waits for, in numbers.</param>
/// <param name="Hints">What would let it start now.</param>
/// <param name="Ahead">Jobs before it in the line; null once it has left it.</param>
/// <param name="Estimates">How good estimates were lately; null before the first job that had one has started.</param>
public sealed record WhyView(
    JobView Job, string Text, IReadOnlyList<string> Needs, IReadOnlyList<string> Hints, int? Ahead = null, EstimateRecord? Estimates = null);

/// <summary>How good the first estimate of each job was, of those that started last.</summary>
/// <param name="Starts">Jobs that started, at most the last hundred.</param>
/// <param name="Held">Of these, the ones that started within their interval, to the minute.</param>
/// <param name="MedianErrorSeconds">Half of them started within that of what was expected.</param>
public sealed record EstimateRecord(int Starts, int Held, double MedianErrorSeconds);

/// <summary>How what is free of one accelerator of a pool lies, and what could start on it now.</summary>
/// <param name="Devices">Devices on nodes that are up.</param>
/// <param name="Free">Of these, the ones that nobody holds.</param>
/// <param name="Fragmentation">The share of the free devices that lies on nodes that are used in part; 0 where none is free.</param>
/// <param name="OnOneNode">Devices of the largest job on one node that would start now; what is kept for others is not free to it.</param>
/// <param name="OverNodes">Nodes of the largest gang that would start now.</param>
/// <param name="EachNode">Its devices on each of them.</param>
public sealed record GapView(string Model, int Devices, int Free, double Fragmentation, int OnOneNode, int OverNodes, int EachNode);

/// <summary>A pool with its nodes.</summary>
/// <param name="Gaps">For each accelerator, what is free and how it lies.</param>
/// <param name="Windows">When it, or a node of it, is or will be closed, by what begins first.</param>
/// <param name="Offers">What a pool with a line of its own could give; null where nodes are its own.</param>
/// <param name="Leases">What is held of such a pool, or waited for.</param>
/// <param name="Price">What one device costs for an hour; null where nothing is paid for it.</param>
public sealed record PoolView(
    string Name, string Provider, bool IsVirtual, IReadOnlyList<NodeView> Nodes, int Devices, int FreeDevices, string? Problem = null,
    IReadOnlyList<GapView>? Gaps = null, IReadOnlyList<WindowView>? Windows = null, IReadOnlyList<OfferView>? Offers = null,
    IReadOnlyList<LeaseView>? Leases = null, string? Price = null);

/// <summary>Nodes of one shape that a pool could give.</summary>
/// <param name="Kind">What the pool calls it, such as a partition.</param>
/// <param name="Model">Null where it has no devices.</param>
/// <param name="Devices">On each node.</param>
/// <param name="Problem">Why nothing is given there now.</param>
public sealed record OfferView(string Kind, string? Model, int Devices, int Nodes, int FreeDevices, int FreeNodes, string? Problem = null);

/// <summary>Nodes that a pool was asked for on behalf of a job.</summary>
/// <param name="State"><c>asked</c>, <c>waiting</c>, <c>ready</c>, <c>ended</c> or <c>lost</c>.</param>
/// <param name="Reason">Why it waits, in the pool's own words.</param>
public sealed record LeaseView(string Id, long Job, string State, string? Reason = null, DateTimeOffset? ExpectedStart = null);

/// <param name="Models">Such as <c>8 × H100 (virtual)</c>, or <c>no accelerator</c>.</param>
/// <param name="FreeParts">What is left of each device that jobs hold in parts, such as 0.5; null where none is.</param>
/// <param name="Closed">Until when it is closed, and why, such as <c>until Tue 24 Nov 12:00 UTC: new switch</c>; null where it is not.</param>
/// <param name="Place">Where it stands, such as <c>dc1/row2/rack7</c>; null where nobody said.</param>
/// <param name="Engine">What it runs containers with: <c>docker</c>, <c>podman</c>, <c>apptainer</c>, <c>enroot</c>, or <c>inside</c> where it is one; null where it cannot.</param>
public sealed record NodeView(
    string Id, bool IsUp, bool IsVirtual, string Models, int Devices, int FreeDevices, double Cpus, double FreeCpus,
    long Memory, long FreeMemory, IReadOnlyList<long> Jobs, string? Problem = null, string? Closed = null, string? Place = null,
    IReadOnlyList<double>? FreeParts = null, string? Engine = null);

/// <summary>A time in which a pool, or a node of it, is closed.</summary>
/// <param name="Text">All of it in words, with what it takes away.</param>
/// <param name="Jobs">Jobs that are on its nodes although it has begun: they leave, or cannot be stopped and run on.</param>
/// <param name="Node">Null for all of the pool.</param>
/// <param name="From">Null where it has not been open before.</param>
/// <param name="To">When it opens again; null for never.</param>
public sealed record WindowView(
    int Number, string Note, string Text, IReadOnlyList<long> Jobs, string? Node = null, DateTimeOffset? From = null, DateTimeOffset? To = null);

/// <summary>Body of <c>POST /api/v1/pools/{name}/windows</c>.</summary>
/// <param name="Node">Such as <c>n1</c>; null for all of the pool.</param>
/// <param name="From">Null for capacity that has not been there before.</param>
/// <param name="To">Null for capacity that ends.</param>
public sealed record CloseNodes(string? Node = null, DateTimeOffset? From = null, DateTimeOffset? To = null, string Note = "");

public sealed record PoolList(IReadOnlyList<PoolView> Pools);

/// <summary>One line of the feed.</summary>
public sealed record FeedLine(long Seq, DateTimeOffset At, string Kind, string Text, long? Job = null, string? Project = null);

public sealed record FeedPage(IReadOnlyList<FeedLine> Lines, long Next);

/// <summary>One line of a job's log. <paramref name="Stream"/> is <c>out</c>, <c>err</c> or <c>puces</c> (a word of Puces itself).</summary>
/// <param name="IsPartial">More of the line may follow: no line feed has been seen.</param>
/// <param name="Cursor">Where to go on after this line: give it back as <c>after</c>.</param>
public sealed record LogLine(DateTimeOffset At, int Attempt, int Rank, string Stream, string Text, bool IsPartial, string Cursor);

public sealed record SecretView(string Name, DateTimeOffset Changed);
public sealed record SecretList(IReadOnlyList<SecretView> Secrets);
public sealed record SetSecret(string Value);

/// <summary>Body of <c>PUT /api/v1/pools/{name}</c>. Nulls stand for what is found on the machine.</summary>
/// <param name="Islands">Virtual devices of each node are joined by fast links, so many at a time; null for none.</param>
/// <param name="Places">Node → where it stands, the nearest switch last, such as <c>n1</c> → <c>dc1/row2/rack7</c>.</param>
/// <param name="Provider">What kind of place it is: <c>local</c>, <c>ssh</c>, <c>slurm</c> or <c>kubernetes</c>.</param>
/// <param name="Term">How long an attempt goes on without a word from the daemon, such as <c>1h</c>.</param>
/// <param name="Ssh">Of the ssh provider: its hosts, and how to reach them.</param>
/// <param name="Slurm">Of the slurm provider: what is asked for there, and how.</param>
/// <param name="Kubernetes">Of the kubernetes provider: the namespace, the way to it, and what its pods are like.</param>
/// <param name="Price">What one device costs for an hour, such as <c>1.90 EUR</c>; null where nothing is paid for it.</param>
public sealed record SetPool(
    int Nodes = 1, string? Gpus = null, double? Cpus = null, string? Memory = null, int? Islands = null, IReadOnlyDictionary<string, string>? Places = null,
    string Provider = "local", string? Term = null, SshPool? Ssh = null, SlurmPool? Slurm = null, string? Price = null, KubernetesPool? Kubernetes = null);

/// <summary>One thing that was tried when a pool was checked.</summary>
/// <param name="IsGood">Null for something that works, and that a person should know of.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record CheckView(string What, string Found, bool? IsGood = null, string? Hint = null);

/// <summary>Body of <c>PUT /api/v1/projects/{name}</c>.</summary>
/// <param name="Weight">Its share is to its sisters' as its weight is to theirs.</param>
/// <param name="Quota">Model → devices of it that are the project's own.</param>
public sealed record SetProject(int Weight = 1, IReadOnlyDictionary<string, int>? Quota = null, ProjectLimits? Limits = null);

/// <summary>What a project may not exceed; null for no limit.</summary>
/// <param name="Devices">Held at once.</param>
/// <param name="UserDevices">Held at once by one user.</param>
/// <param name="Waiting">Jobs that wait.</param>
/// <param name="UserWaiting">Jobs of one user that wait.</param>
/// <param name="RunTime">The longest that one attempt may run, such as <c>2d</c>.</param>
public sealed record ProjectLimits(int? Devices = null, int? UserDevices = null, int? Waiting = null, int? UserWaiting = null, string? RunTime = null);

/// <summary>A project, with its parts.</summary>
/// <param name="Devices">Held now; a part of a device counts for that part.</param>
/// <param name="Waiting">Jobs that wait.</param>
/// <param name="Usage">What it has used, in hours of an H100; halved every seven days.</param>
/// <param name="Used">Its part of what all have used, 0 to 1.</param>
/// <param name="Share">What its weight gives it if all want some, 0 to 1.</param>
/// <param name="IsSet">It was set; false for one that only has had jobs.</param>
public sealed record ProjectView(
    string Name, int Weight, IReadOnlyDictionary<string, int> Quota, double Devices, int Waiting, double Usage, double Used, double Share, ProjectLimits Limits, bool IsSet);

public sealed record ProjectList(IReadOnlyList<ProjectView> Projects);

/// <summary>Reply of <c>GET /api/v1/info</c>.</summary>
/// <param name="Leads">This daemon writes; false while it stands by.</param>
/// <param name="Checks">What <c>puces doctor</c> shows of the server.</param>
public sealed record ServerInfo(string Version, string Store, bool Leads, DateTimeOffset Started, long Waiting, long Running, IReadOnlyList<Check> Checks);

/// <summary>One line of <c>puces doctor</c>.</summary>
public sealed record Check(string Name, bool IsOk, string Text);

/// <summary>An error reply (RFC 9457). <paramref name="Errors"/> name each field and what would be right.</summary>
public sealed record Problem(string Title, int Status, string? Detail = null, string? Type = null, IReadOnlyList<FieldError>? Errors = null);

/// <summary>One mistake in a request or a job file. <paramref name="Path"/> such as <c>gpus[0].vram</c>; lines and columns count from 1, 0 where unknown.</summary>
public sealed record FieldError(string Path, string Message, int Line = 0, int Column = 0);

/// <summary>JSON of the REST interface. Unknown fields are refused.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(SubmitJob))]
[JsonSerializable(typeof(SubmitJobs))]
[JsonSerializable(typeof(SubmittedJobs))]
[JsonSerializable(typeof(JobPage))]
[JsonSerializable(typeof(JobDetail))]
[JsonSerializable(typeof(HistoryPage))]
[JsonSerializable(typeof(WhyView))]
[JsonSerializable(typeof(PoolList))]
[JsonSerializable(typeof(FeedPage))]
[JsonSerializable(typeof(LogLine))]
[JsonSerializable(typeof(SecretList))]
[JsonSerializable(typeof(SetSecret))]
[JsonSerializable(typeof(SetPool))]
[JsonSerializable(typeof(CheckView))]
[JsonSerializable(typeof(CloseNodes))]
[JsonSerializable(typeof(WindowView))]
[JsonSerializable(typeof(SetProject))]
[JsonSerializable(typeof(ProjectList))]
[JsonSerializable(typeof(ProjectView))]
[JsonSerializable(typeof(ServerInfo))]
[JsonSerializable(typeof(Problem))]
public sealed partial class ContractJson : JsonSerializerContext;
