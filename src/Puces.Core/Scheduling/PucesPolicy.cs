namespace Puces.Core.Scheduling;

/// <summary>Ours: fair between projects, and inside a project who is likeliest to end soon, learned from what ran before.</summary>
public sealed class PucesPolicy(History history) : IPolicy
{
    private static readonly TimeSpan Quantum = TimeSpan.FromMinutes(10);
    private readonly Dictionary<(int, int), double> _known = [];
    private int _version;

    public string Name => "puces";
    public bool IsSteady => false;
    public bool Reserves => true;
    public bool Stops => true;
    public TimeSpan? Tick => TimeSpan.FromMinutes(5);

    public long Rank(Claim claim, TimeSpan now)
    {
        if (_version != history.Version) _known.Clear();
        _version = history.Version;
        var cls = History.ClassOf(claim);
        var attained = claim.Attained(now);
        var bucket = attained <= TimeSpan.Zero ? -1 : RunTimes.BucketOf(attained) / 2 * 2;
        if (!_known.TryGetValue((cls, bucket), out var index))
            _known[(cls, bucket)] = index = Gittins.Inverse(history.TimesFor(cls), bucket < 0 ? TimeSpan.Zero : RunTimes.BoundOf(bucket));
        return (long)(index * 1000) * claim.Shape.Devices;
    }

    public long GroupOf(Claim claim) => claim.Worked == TimeSpan.Zero ? 0 : claim.Number + 1;

    public bool MayStop(Claim holding, Claim waiting, TimeSpan now) => now - holding.Since >= Quantum && Rank(holding, now) / 2 > Rank(waiting, now);
}
