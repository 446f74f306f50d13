namespace Puces.Core.Replay;

/// <summary>What became of each job of a trace under one policy. Times count from the first submit of the trace.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Devices">Devices of the pool.</param>
/// <param name="Starts">When each job first started, in the order of the trace.</param>
/// <param name="Ends">When each job ended, in the order of the trace.</param>
/// <param name="Use">The pool over time, thinned to at most some thousand points.</param>
/// <param name="Preemptions">Attempts that were stopped for another job, or because a node closed.</param>
/// <param name="WorkLost">Device time spent on checkpoints, moves and restarts instead of on work.</param>
/// <param name="DeviceTime">Device time held by jobs.</param>
/// <param name="Fragmentation">Mean share of the free devices that the first waiting job could not use, while one waited; 0 to 1.</param>
/// <param name="Cpu">CPU time that the replay took.</param>
public sealed record Replayed(
    string Policy, int Devices, IReadOnlyList<TimeSpan> Starts, IReadOnlyList<TimeSpan> Ends, IReadOnlyList<UsePoint> Use,
    int Preemptions, TimeSpan WorkLost, TimeSpan DeviceTime, double Fragmentation, TimeSpan Cpu);

/// <summary>How a pool was used at one moment.</summary>
/// <param name="At">Counted from the first submit.</param>
/// <param name="Held">Devices that jobs held.</param>
/// <param name="Wanted">Devices that waiting jobs asked for.</param>
public readonly record struct UsePoint(TimeSpan At, int Held, int Wanted);
