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

    private bool IsPromised(Claim claim)
    {
        foreach (var promise in _promises)
            if (promise.For == claim) return true;
        return false;
    }

    private void Keep(Claim claim, Way way, Part[] parts)
    {
        _promises.Add(new(claim, way, parts));
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
                var got = part.Devices & ~promise.Kept[i] & grid.SlotAt(part.Node).Free;
                if (got == 0) continue;
                grid.Hold([new(part.Node, got, 0, 0, 0)]);
                promise.Kept[i] |= got;
            }
    }

    /// <summary>Starts those whose devices are all there, and gives up those for which nobody is leaving any more.</summary>
    private void Fulfil(TimeSpan now)
    {
        for (var i = 0; i < _promises.Count; i++)
        {
            var promise = _promises[i];
            if (!promise.IsWhole && promise.Parts.Any(p => On(p.Node).Exists(c => c.IsLeaving))) continue;
            _promises.RemoveAt(i--);
            var isWhole = promise.IsWhole;
            Break(promise);
            _isChanged = true;
            if (!isWhole || grid.CanHold(promise.Way, promise.Parts) is not { } parts) continue;
            Unwait(promise.For);
            grid.Hold(parts);
            Begin(promise.For, parts, now);
        }
    }

    private bool Break(Promise promise)
    {
        Unpromised(promise.For);
        for (var i = 0; i < promise.Parts.Length; i++)
            if (promise.Kept[i] != 0) grid.Release([new(promise.Parts[i].Node, promise.Kept[i], 0, 0, 0)]);
        return true;
    }
}
