using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>How one rank goes when it is started: the same for the same seed, however often and wherever it is asked.</summary>
/// <param name="IsRefusalKept">The refusal is on the node's disk; else it is said once.</param>
public sealed record Behaviour(
    TimeSpan Delay, TimeSpan Duration, TimeSpan Grace, int ExitCode, ExitCause Cause, bool IsRefused, bool IsRefusalKept, bool IsOrderRefused, bool Saves)
{
    /// <summary>From this attempt on every rank ends well, so that each job comes to an end.</summary>
    public const int LastBad = 6;

    public static Behaviour Of(ulong seed, AttemptId attempt, int rank)
    {
        var luck = new Luck(seed ^ ((ulong)attempt.Job.Value << 40) ^ ((ulong)attempt.Number << 20) ^ (ulong)rank);
        var (code, cause) = attempt.Number >= LastBad ? (0, ExitCause.Exit) : luck.Below(20) switch
        {
            < 11 => (0, ExitCause.Exit),
            < 14 => (luck.Between(1, 3), ExitCause.Exit),
            < 17 => (75, ExitCause.Exit),
            17 => (137, ExitCause.OutOfMemory),
            18 => (143, ExitCause.Term),
            _ => (143, ExitCause.Limit),
        };
        var isRefused = luck.Chance(6) && attempt.Number < LastBad;
        return new(
            TimeSpan.FromSeconds(luck.Below(3)), TimeSpan.FromSeconds(luck.Of(0, 1, 5, 30, 600, 3600)), TimeSpan.FromSeconds(luck.Of(0, 0, 5, 30)),
            code, cause, isRefused, luck.Chance(50), luck.Chance(3) && attempt.Number < LastBad, luck.Chance(30));
    }
}
