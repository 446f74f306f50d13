namespace Puces.Core.Scheduling;

/// <summary>The project that has used least for its weight goes first; inside a project, first come, first served. Nobody is stopped.</summary>
public sealed class FairShare : IPolicy
{
    public string Name => "fair-share";
    public bool SharesByProject => true;
    public bool Reserves => true;
    public long Rank(Claim claim, TimeSpan now) => 0;
}
