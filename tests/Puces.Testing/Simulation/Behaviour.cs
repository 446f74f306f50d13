using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>How one rank goes when it is started: the same for the same seed, however often and wherever it is asked.</summary>
/// <param name="Duration">Null where it goes on until it is stopped.</param>
/// <param name="Fault">What is wrong with the node where it ends badly.</param>
/// <param name="IsRefusalKept">The refusal is on the node's disk; else it is said once.</param>
public sealed record Behaviour(
    TimeSpan Delay, TimeSpan? Duration, TimeSpan Grace, int ExitCode, ExitCause Cause, bool IsRefused, bool IsRefusalKept, bool IsOrderRefused, bool Saves, NodeFault? Fault)
{
    /// <summary>From this attempt on no rank ends badly by itself, so that each job comes to an end.</summary>
    public const int LastBad = 6;

    private static NodeFault? FaultOf(Luck luck, int code) => code == 0 || !luck.Chance(20) ? null
        : new(luck.Of(FaultKind.DeviceError, FaultKind.DeviceError, FaultKind.DiskFull, FaultKind.HostMemory, FaultKind.DeviceLost), "an error of the hardware");

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
            TimeSpan.FromSeconds(luck.Below(3)), luck.Chance(15) ? null : TimeSpan.FromSeconds(luck.Of(0, 1, 5, 30, 60, 600, 3600)), TimeSpan.FromSeconds(luck.Of(0, 0, 5, 30)),
            code, cause, isRefused, luck.Chance(50), luck.Chance(3) && attempt.Number < LastBad, luck.Chance(30), FaultOf(new(seed + (ulong)attempt.Job.Value * 7919 + (ulong)attempt.Number * 104729 + (ulong)rank), code));
    }
}
