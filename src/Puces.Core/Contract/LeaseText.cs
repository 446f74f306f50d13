using Puces.Core.Engine;
using Puces.Core.Market;
using Puces.Core.Scheduling;

namespace Puces.Core.Contract;

/// <summary>What is said of a lease: one text for CLI, API and dashboard.</summary>
public static class LeaseText
{
    /// <summary>One word.</summary>
    public static string State(LeaseRecord lease) => lease.State switch
    {
        null => "asked",
        LeaseState.Waiting => "waiting",
        LeaseState.Ready => "ready",
        LeaseState.Ended => "ended",
        _ => "lost",
    };

    /// <summary>Such as <c>waits in the line of pool jean: Priority; to start there at about 12:10 UTC</c>.</summary>
    public static string Of(LeaseRecord lease) => lease.State switch
    {
        null => $"nodes of pool {lease.Pool} are being asked for",
        LeaseState.Waiting => $"waits in the line of pool {lease.Pool}{(lease.Reason is { } why ? ": " + why : "")}{(lease.ExpectedStart is { } at ? $"; to start there at about {Waiting.Clock(at)}" : "")}",
        LeaseState.Ready => $"has nodes of pool {lease.Pool}, which are being connected with",
        _ => $"had nodes of pool {lease.Pool}, and they are gone{(lease.Reason is { } how ? ": " + how : "")}",
    };
}
