using System.Globalization;
using System.Text.Json;
using Puces.Core.Jobs;
using Puces.Core.Market;

namespace Puces.Core.Engine;

/// <summary>A lease that was decided on for a job, as it is kept: before anything is asked for outside, and until it is given back.</summary>
/// <param name="Alternative">Which of the job's ways it serves.</param>
/// <param name="State">Null until the provider has been heard of it.</param>
/// <param name="Nodes">Of the pool, in rank order; empty until it is ready.</param>
/// <param name="Reason">Why it waits, in the provider's words.</param>
/// <param name="IsTaken">Its job has started on it.</param>
/// <param name="Since">When it was first seen to be ready.</param>
public sealed record LeaseRecord(
    LeaseRequest Request, string Pool, JobId Job, int Alternative, DateTimeOffset Asked, LeaseState? State = null, IReadOnlyList<LeaseNode>? Nodes = null,
    string? Reason = null, DateTimeOffset? ExpectedStart = null, bool IsTaken = false, DateTimeOffset? Since = null)
{
    public LeaseId Id => Request.Id;

    /// <summary>What a machine of it is called among all nodes: the same machine may be in two leases.</summary>
    public string NodeId(LeaseNode node) => $"{Pool}/{node.Name}.{Id}";

    /// <summary>In rank order.</summary>
    public IEnumerable<string> NodeIds() => (Nodes ?? []).Select(NodeId);
}

/// <summary>How leases are kept among the notes.</summary>
public static class LeaseNotes
{
    private const string Prefix = "lease/", WaitPrefix = "wait/", RefusalPrefix = "refusal/";

    /// <summary>The number that was given last.</summary>
    public const string Last = "leases";

    public static string Key(LeaseId id) => Prefix + id;

    public static string Write(LeaseRecord lease) => JsonSerializer.Serialize(lease, EngineJson.Stored.LeaseRecord);

    /// <summary>The lease that a note is of; null where it is about something else.</summary>
    public static LeaseRecord? Read(string key, string text) =>
        key.StartsWith(Prefix, StringComparison.Ordinal) ? JsonSerializer.Deserialize(text, EngineJson.Stored.LeaseRecord) : null;

    /// <summary>The note of why a pool gave a job nothing, last; gone once the job has nodes, or is over.</summary>
    public static string Refusal(JobId job) => RefusalPrefix + job;

    internal static JobId? RefusalOf(string key) => key.StartsWith(RefusalPrefix, StringComparison.Ordinal) ? new(long.Parse(key.AsSpan(RefusalPrefix.Length), CultureInfo.InvariantCulture)) : null;

    /// <summary>The note of how long leases of a kind have waited lately.</summary>
    public static string Wait(string pool, string kind) => $"{WaitPrefix}{pool}/{kind}";

    internal static (string Pool, string Kind, TimeSpan Length)? WaitOf(string key, string text) =>
        key.StartsWith(WaitPrefix, StringComparison.Ordinal) && key[WaitPrefix.Length..].Split('/', 2) is [var pool, var kind]
            ? (pool, kind, TimeSpan.FromSeconds(long.Parse(text, CultureInfo.InvariantCulture))) : null;

    internal static string Write(long last) => last.ToString(CultureInfo.InvariantCulture);
}
