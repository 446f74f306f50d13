using System.Globalization;

namespace Puces.Core.Scheduling;

/// <summary>
/// Bounds how long anyone can be passed: all but one in a thousand wait no longer than strict arrival order would have made all but one in
/// a thousand wait. As long as that can be kept, the line goes by rank; those with whom it no longer could are due, and go first.
/// </summary>
public sealed class Ageing
{
    /// <summary>Nobody is due before it has waited so long.</summary>
    public static readonly TimeSpan Least = TimeSpan.FromHours(1);

    /// <summary>How often arrival order is looked at anew, where that is done at once.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromHours(1);

    // Where more jobs than that must be placed each time, it is done as much less often; at least so often in the time that is promised.
    private const int AtOnce = 2000, LeastOften = 16;

    // Half of the tenth by which people will forgive that the promise was too short: it is made before all is known.
    private const double Margin = 1.05;
    // Nobody who has not ended counts for more than this part of the promise beyond what it has had: a mean that few long ones make large would
    // foretell waits that never come, and what is promised then cannot be taken back.
    private const int Part = 8;
    // The plan counts each job for its mean time to go, which few long ones make large: most are gone earlier.
    private const double Hope = 1.1;
    // One in so many may wait longer than is promised to the others.
    private const int OneIn = 1000;

    private readonly ArrivalOrder _arrivals = new();
    private readonly List<Claim> _all = [];
    private readonly PriorityQueue<int, TimeSpan> _leaves = new();
    private TimeSpan? _looked;
    private int _arrived, _exempt;
    private bool _isChanged;
    // What was promised before a restart, which forgets who came: it holds until as much time has told anew.
    private TimeSpan _before;
    private TimeSpan? _beforeUntil;

    /// <summary>The longest that is promised to all but one in a thousand.</summary>
    public TimeSpan Longest { get; private set; } = Least;

    /// <summary>What is promised, in whole seconds, if it is another than at the last call; else null.</summary>
    public string? TakeKept()
    {
        if (!_isChanged) return null;
        _isChanged = false;
        return ((long)Longest.TotalSeconds).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>What was promised before this was made. What cannot be read is left out.</summary>
    public void Load(string kept)
    {
        if (long.TryParse(kept, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds < TimeSpan.MaxValue.TotalSeconds)
            Longest = _before = TimeSpan.FromSeconds(seconds);
    }

    public void Arrived(Claim claim)
    {
        _arrived++;
        _arrivals.Arrive(claim);
    }

    public void Ended(Claim claim, TimeSpan? worked, TimeSpan now)
    {
        _arrivals.End(claim, worked);
        // It was let wait longer, and did not: another may.
        if (claim.IsExempt && now - claim.Submitted - (worked ?? TimeSpan.Zero) <= Longest) _exempt--;
    }

    /// <summary>Finds out who is due.</summary>
    public void Look(Scheduler scheduler, TimeSpan now)
    {
        if (_looked is not { } looked || now - looked >= Every && (now - looked >= Every * _arrivals.Unsettled / AtOnce || now - looked >= Longest / LeastOften))
        {
            _looked = now;
            _beforeUntil ??= now + _before;
            var least = now < _beforeUntil && _before > Least ? _before : Least;
            var longest = _arrivals.Longest(scheduler.Grid, now, c => c.Attained(now) + ToGo(c, now)) * Margin;
            if (longest < least) longest = least;
            _isChanged |= longest != Longest;
            Longest = longest;
        }
        _all.Clear();
        _all.AddRange(scheduler.Holding);
        _all.AddRange(scheduler.Waiting);
        foreach (var claim in _all) (claim.Due, claim.IsDue) = (now + Longest - claim.Waited(now), false);
        _all.Sort((a, b) => a.Due != b.Due ? a.Due.CompareTo(b.Due) : a.Number.CompareTo(b.Number));
        while (LastLate(scheduler.Grid.Devices, now) is >= 0 and var last)
        {
            if (_exempt < _arrived / OneIn && Dearest(last, now) is { } dearest)
            {
                dearest.IsExempt = true;
                scheduler.Regroup(dearest, now);
                _exempt++;
                continue;
            }
            for (var i = 0; i <= last; i++) _all[i].IsDue = !_all[i].IsExempt;
            return;
        }
    }

    /// <summary>The last of those that would start too late if all went by when they are due; -1 for none.</summary>
    private int LastLate(int devices, TimeSpan now)
    {
        _leaves.Clear();
        var free = (int)(devices * Hope);
        foreach (var claim in _all)
        {
            if (!claim.IsCommitted) continue;
            free -= claim.Shape.Devices;
            _leaves.Enqueue(claim.Shape.Devices, now + ToGo(claim, now));
        }
        var (clock, last) = (now, -1);
        for (var i = 0; i < _all.Count; i++)
        {
            var claim = _all[i];
            if (claim.IsExempt || claim.IsCommitted) continue;
            while (free < claim.Shape.Devices && _leaves.TryDequeue(out var left, out var at))
            {
                free += left;
                if (at > clock) clock = at;
            }
            if (!claim.IsHolding && clock > claim.Due) last = i;
            free -= claim.Shape.Devices;
            _leaves.Enqueue(claim.Shape.Devices, clock + ToGo(claim, now));
        }
        return last;
    }

    // Of those that are to go first, the one whose wait costs the others least: it takes most.
    private Claim? Dearest(int last, TimeSpan now)
    {
        Claim? dearest = null;
        var most = 0.0;
        for (var i = 0; i <= last; i++)
        {
            var claim = _all[i];
            if (claim.IsExempt || claim.IsCommitted || ToGo(claim, now).TotalSeconds * claim.Shape.Devices is var cost && cost <= most) continue;
            (dearest, most) = (claim, cost);
        }
        return dearest;
    }

    private TimeSpan ToGo(Claim claim, TimeSpan now) =>
        Claim.TimeAt(claim.Speed, TimeSpan.FromSeconds(claim.Batch!.Times.MeanWithin(Buckets.Of(claim.Progress(now)), Longest.TotalSeconds / Part)));
}
