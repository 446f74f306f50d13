namespace Puces.Core.Scheduling;

// Devices that are kept for a claim until the last of them has been left: nobody else gets them in between.
public sealed partial class Scheduler
{
    private readonly List<Promise> _promises = [];

    /// <summary>Parts that a claim shall have, and of each the devices that are free already and kept for it.</summary>
    private sealed class Promise(Claim claim, Way way, Part[] parts)
    {
        public Claim For { get; } = claim;
        public Way Way { get; } = way;
        public Part[] Parts { get; } = parts;
        public ulong[] Kept { get; } = new ulong[parts.Length];

        public List<Part> AllKept()
        {
            var kept = new List<Part>(Parts.Length);
            for (var i = 0; i < Parts.Length; i++)
                if (Kept[i] != 0) kept.Add(new(Parts[i].Node, Kept[i], Parts[i].Share, 0, 0));
            return kept;
        }

        public bool IsWhole
        {
            get
            {
                for (var i = 0; i < Parts.Length; i++)
                    if (Kept[i] != Parts[i].Devices) return false;
                return true;
            }
        }
    }

    private void Keep(Claim claim, Way way, Part[] parts)
    {
        _promises.Add(new(claim, way, parts));
        claim.IsPromised = true;
        foreach (var part in parts) grid.SlotAt(part.Node).Promised |= part.Devices;
        Promised(claim, parts);
        _changes++;
        Collect();
    }

    /// <summary>Takes for each promise what has become free of it.</summary>
    private void Collect()
    {
        foreach (var promise in _promises)
            for (var i = 0; i < promise.Parts.Length; i++)
            {
                var part = promise.Parts[i];
                var got = part.Devices & ~promise.Kept[i] & (part.Share == 0 ? grid.SlotAt(part.Node).Free : grid.LeftOf(part.Node, part.Devices) >= part.Share ? part.Devices : 0);
                if (got == 0) continue;
                grid.Hold([new(part.Node, got, part.Share, 0, 0)]);
                promise.Kept[i] |= got;
            }
    }

    /// <summary>Starts those whose devices are all there, and gives up those for which nobody is leaving any more.</summary>
    private void Fulfil(TimeSpan now)
    {
        for (var i = 0; i < _promises.Count; i++)
        {
            var promise = _promises[i];
            var isAwaited = promise.Parts.Any(p => On(p.Node).Exists(c => c.IsLeaving));
            if (!promise.IsWhole && isAwaited) continue;
            var isWhole = promise.IsWhole;
            grid.LetGo(promise.AllKept());
            var parts = isWhole && !IsOver(promise.For) ? grid.CanHold(promise.Way, promise.Parts, UntilOf(promise.For, now)) : null;
            if (parts is null && isAwaited)
            {
                // Its devices are all there; CPUs or memory of those who leave are not.
                grid.Hold(promise.AllKept());
                continue;
            }
            _promises.RemoveAt(i--);
            promise.For.IsPromised = false;
            _isChanged = true;
            Unpromised(promise);
            if (parts is null) continue;
            Start(promise.For, parts, now);
        }
    }

    // A limit may have been set since: what was promised is counted already.
    private bool IsOver(Claim claim) => claim.Account is { } account && _shares.OverDevices(account, claim.Owner, 0) is not null;

    private void Unpromised(Promise promise)
    {
        foreach (var part in promise.Parts) grid.SlotAt(part.Node).Promised &= ~part.Devices;
        Unpromised(promise.For);
    }

    private bool Break(Promise promise)
    {
        promise.For.IsPromised = false;
        Unpromised(promise);
        grid.Release(promise.AllKept());
        return true;
    }
}
