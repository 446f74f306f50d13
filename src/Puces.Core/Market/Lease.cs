using Puces.Core.Units;

namespace Puces.Core.Market;

/// <summary>Names a lease, here and at the provider: the same name again is the same lease.</summary>
public readonly record struct LeaseId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>What a pool could give: nodes of one shape.</summary>
/// <param name="Kind">What the provider calls it: a host, a partition, a node pool.</param>
/// <param name="Model">Catalogue name of its devices; null where it has none.</param>
/// <param name="Devices">On each node.</param>
/// <param name="MilliCpus">Of each node; zero where the provider does not say.</param>
/// <param name="Memory">Of each node; zero where the provider does not say.</param>
/// <param name="Nodes">How many there are in all.</param>
/// <param name="FreeDevices">Devices that nobody holds now, over all nodes.</param>
/// <param name="FreeNodes">Nodes that nobody holds anything of now.</param>
/// <param name="Longest">The longest that a lease may last there; null for no limit.</param>
/// <param name="Problem">Why nothing is given there now, such as a closed partition; null where something may be.</param>
public sealed record Offer(
    string Kind, string? Model, int Devices, int MilliCpus, Memory Memory, int Nodes, int FreeDevices, int FreeNodes, DateTimeOffset Seen,
    TimeSpan? Longest = null, string? Problem = null);

/// <summary>What is asked of a provider: the nodes of one gang, all or none.</summary>
/// <param name="Name">For people who look at the provider's own lists.</param>
/// <param name="Kind">Of the offer that it takes.</param>
/// <param name="Devices">On each node.</param>
/// <param name="MilliCpus">On each node; zero for as many as go with the devices there.</param>
/// <param name="Memory">On each node; zero for as much as goes with the devices there.</param>
/// <param name="Limit">How long it is to last at most; null for as long as the provider lets it.</param>
/// <param name="Grace">How long before its end the attempts on it are asked to save themselves.</param>
/// <param name="Term">How long its nodes go on without a word from the daemon; null for ever.</param>
/// <param name="Image">What its job runs in, where the place runs containers; null for what the pool has.</param>
public sealed record LeaseRequest(
    LeaseId Id, string Name, string Kind, int Nodes, string? Model, int Devices, int MilliCpus, Memory Memory, TimeSpan? Limit, TimeSpan Grace,
    TimeSpan? Term = null, string? Image = null);

/// <summary>Where a lease stands.</summary>
public enum LeaseState
{
    /// <summary>Asked for; the provider has it in a line of its own.</summary>
    Waiting,
    /// <summary>Its nodes are there, all of them.</summary>
    Ready,
    /// <summary>It is over, and the provider vouches that nothing of it runs any more.</summary>
    Ended,
    /// <summary>It is over for the provider, and what ran on it may go on unseen until its term ends.</summary>
    Lost,
}

/// <summary>What we hold of a pool, or wait for.</summary>
/// <param name="Nodes">Once it is ready: the machines, in rank order. None of one that has ended and of which nothing can be read any more.</param>
/// <param name="Reason">Why it waits, or how it ended, in the provider's own words.</param>
/// <param name="ExpectedStart">When the provider expects it to be ready; null where it does not say.</param>
public sealed record Lease(
    LeaseId Id, LeaseState State, IReadOnlyList<LeaseNode> Nodes, string? Reason = null, DateTimeOffset? ExpectedStart = null);

/// <summary>A machine of a lease.</summary>
/// <param name="Name">What it is called behind the pool's name; one name is one machine.</param>
/// <param name="Address">Where the others reach it; null where the node itself knows.</param>
public sealed record LeaseNode(string Name, string? Address = null);
