using System.Globalization;
using System.Text.Json.Serialization;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>What a user asks for: the job file, checked. Immutable; the JSON form of it is what the store keeps.</summary>
/// <param name="Gpus">Alternatives in order of preference, per node; empty where the job needs no accelerator.</param>
/// <param name="Nodes">Machines that start together, as one gang.</param>
/// <param name="Cpus">CPUs per node; null takes the node's portion for the devices where it is free, and at least one for each.</param>
/// <param name="Memory">Main memory per node; null asks for none in particular.</param>
/// <param name="Where">Pools, countries or <c>eu</c> that may run it; empty means anywhere.</param>
/// <param name="Priority">From -1000 to 1000; the names low, normal, high and urgent stand for -100, 0, 100 and 500.</param>
/// <param name="Expected">The duration that the user expects: evidence, never a limit.</param>
/// <param name="Limit">The longest that one attempt may run.</param>
/// <param name="Setup">Shell script that prepares the work directory, run before <paramref name="Run"/> on each node.</param>
/// <param name="Workdir">Folder packed and sent with the job, relative to the job file; null sends none.</param>
/// <param name="Mounts">Path in the work directory → file or folder relative to the job file.</param>
/// <param name="Secrets">Names of stored secrets that the attempts see as environment variables.</param>
[JsonConverter(typeof(JobSpecConverter))]
public sealed record JobSpec(
    string Name,
    RunCommand Run,
    IReadOnlyList<GpuRequest>? Gpus = null,
    int Nodes = 1,
    double? Cpus = null,
    Memory? Memory = null,
    IReadOnlyList<string>? Where = null,
    SpotUse Spot = SpotUse.Never,
    Money? Budget = null,
    DateTimeOffset? Deadline = null,
    TimeSpan? Expected = null,
    TimeSpan? Limit = null,
    int Priority = 0,
    string Project = "default",
    CheckpointSpec? Checkpoint = null,
    string? Image = null,
    string? Setup = null,
    string? Workdir = null,
    IReadOnlyDictionary<string, string>? Mounts = null,
    IReadOnlyDictionary<string, string>? Env = null,
    IReadOnlyList<string>? Secrets = null,
    RetrySpec? Retries = null,
    Preference Prefer = Preference.Soonest);

/// <summary>A shell script, or a program with its arguments that no shell sees. Exactly one of the two is set.</summary>
public sealed record RunCommand(string? Script = null, IReadOnlyList<string>? Arguments = null);

/// <summary>Accelerators on one node, by name or by need.</summary>
/// <param name="Count">Devices on each node; 1 where a part of one is asked for.</param>
/// <param name="Name">A catalogue name such as <c>H100</c>; null where any that meets the need will do.</param>
/// <param name="Vram">Memory of one device: at least and at most.</param>
/// <param name="Bf16">Dense bf16 TFLOP/s of one device: at least and at most.</param>
/// <param name="Vendors">Allowed vendors; empty allows all.</param>
/// <param name="Share">Thousandths of one device, the rest of which others may have; zero where whole ones are asked for.</param>
public sealed record GpuRequest(
    int Count = 1, string? Name = null, Bounds<Memory>? Vram = null, Bounds<double>? Bf16 = null, IReadOnlyList<string>? Vendors = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Share = 0)
{
    /// <summary>Thousandths of a device on each node.</summary>
    public int Milli => Share > 0 ? Share : 1000 * Count;

    /// <summary>How many, as it is written: <c>8</c>, or <c>0.5</c> of one.</summary>
    public string Amount => (Milli / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
}

/// <summary>A range with both ends included; a null end is open.</summary>
public readonly record struct Bounds<T>(T? Min, T? Max) where T : struct, IComparable<T>
{
    public bool Contains(T value) => (Min is not { } min || value.CompareTo(min) >= 0) && (Max is not { } max || value.CompareTo(max) <= 0);
}

/// <summary>Whether spot capacity may be used.</summary>
public enum SpotUse { Never, Auto, Only }

/// <summary>Which of several pools a job goes to.</summary>
public enum Preference
{
    /// <summary>Where it is expected to start first.</summary>
    Soonest,
    /// <summary>Where a device costs least, however long it waits there.</summary>
    Cheapest,
}

/// <summary>How a job saves itself.</summary>
/// <param name="Path">Folder of the checkpoints; null takes the one that Puces gives in <c>PUCES_CHECKPOINT_DIR</c>.</param>
/// <param name="Signal">Signal that asks for a checkpoint, such as <c>USR1</c>.</param>
/// <param name="Grace">How long the job may take to save before it is stopped.</param>
/// <param name="Every">How often Puces asks for one; null leaves it to the job.</param>
public sealed record CheckpointSpec(string? Path = null, string Signal = "TERM", TimeSpan? Grace = null, TimeSpan? Every = null)
{
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(30);
}

/// <summary>When to try again.</summary>
/// <param name="Count">Failures after which the job is given up.</param>
/// <param name="Backoff">Wait before the first retry; doubles with each, up to an hour.</param>
/// <param name="RestartCodes">Exit codes that ask for a restart and cost no retry; 75 is EX_TEMPFAIL of sysexits.h.</param>
public sealed record RetrySpec(int Count = 0, TimeSpan? Backoff = null, IReadOnlyList<int>? RestartCodes = null)
{
    public static readonly TimeSpan DefaultBackoff = TimeSpan.FromSeconds(10);
    public static readonly IReadOnlyList<int> DefaultRestartCodes = [75];
}
