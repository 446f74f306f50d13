namespace Puces.Core.Scheduling;

/// <summary>
/// Least attained service in two queues, as Tiresias has it (Gu et al., NSDI'19, "discretized 2D-LAS"): who has had less device time than
/// the threshold goes first and may have the others stopped; inside a queue, first come, first served.
/// </summary>
public sealed class Las : IPolicy
{
    /// <summary>Device time after which a job goes to the second queue: one device for an hour.</summary>
    public static readonly TimeSpan Threshold = TimeSpan.FromHours(1);

    public string Name => "las";
    public bool IsSteady => false;
    public bool Stops => true;
    public TimeSpan? Tick => TimeSpan.FromMinutes(5);

    public long Rank(Claim claim, TimeSpan now) => claim.Attained(now) * claim.Shape.Devices < Threshold ? 0 : 1;
    public long GroupOf(Claim claim) => Rank(claim, TimeSpan.Zero);
    public bool MayStop(Claim holding, Claim waiting, TimeSpan now) => Rank(holding, now) > Rank(waiting, now);
}
