namespace Puces.Core.Scheduling;

// Nodes that close: who starts there before, and who leaves when the time has come.
public sealed partial class Scheduler
{
    /// <summary>One without a limit that cannot be stopped starts where nothing closes before this share of its kind would be done.</summary>
    public const double Sureness = 0.9;

    private long _emptied = -1;

    /// <summary>
    /// How long a node must stay open for the claim to start there. One that may be stopped is asked to leave when the node closes, and
    /// needs no more than is worth the start; one with a limit is gone by then; of any other it is learned how long its kind runs.
    /// </summary>
    public TimeSpan StayOf(Claim claim, TimeSpan now)
    {
        if (!grid.HasWindows) return TimeSpan.Zero;
        if (claim.CanYield) return claim.Limit < LeastStay ? claim.Limit.Value : LeastStay;
        return claim.Limit ?? (claim.Batch is null ? claim.Duration ?? claim.Expected ?? TimeSpan.Zero : History.Remaining(claim, now, Sureness, SlowestOf(claim)));
    }

    private TimeSpan UntilOf(Claim claim, TimeSpan now) => grid.HasWindows ? now + StayOf(claim, now) : TimeSpan.MinValue;

    /// <summary>Those on closed nodes that can go on elsewhere leave; the others stay to their end.</summary>
    private void EmptyClosed()
    {
        if (_emptied == grid.Layout) return;
        _emptied = grid.Layout;
        foreach (var holding in _holding)
            if (holding is { CanYield: true, IsLeaving: false } && holding.Parts.Any(p => grid.SlotAt(p.Node).IsClosed)) Dismiss(holding, null, StopCause.Closed);
    }
}
