namespace Puces.Core.Scheduling;

/// <summary>First come, first served: the first that does not fit blocks all behind it.</summary>
public sealed class Fifo : IPolicy
{
    public string Name => "fifo";
    public bool IsStrict => true;
    public long Rank(Claim claim, TimeSpan now) => 0;
}
