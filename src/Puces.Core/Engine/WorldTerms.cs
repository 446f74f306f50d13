namespace Puces.Core.Engine;

// Nodes that cannot be reached, and the moment from which nothing of an attempt can run there any more.
public sealed partial class World
{
    /// <summary>Beyond a term: that a process takes a moment to die, and that clocks do not go alike.</summary>
    public static readonly TimeSpan TermMargin = TimeSpan.FromSeconds(15);

    // Since when nodes that hold something have surely not renewed a term: those of which we have not heard yet count from our beginning.
    private readonly SortedDictionary<string, DateTimeOffset> _unheard = new(StringComparer.Ordinal);

    private void Heard(string node) => _unheard.Remove(node);

    private void Unheard(string node, DateTimeOffset now)
    {
        if (TermOf(node) is not null) _unheard.TryAdd(node, now);
    }

    private TimeSpan? TermOf(string node) => _pools.GetValueOrDefault(node.Split('/')[0])?.TermOrDefault;

    /// <summary>When the next node has surely nothing left that runs.</summary>
    private DateTimeOffset? NextTerm
    {
        get
        {
            DateTimeOffset? next = null;
            foreach (var (node, since) in _unheard)
                if (_holdings.JobsOn(node) is not null && TermOf(node) is { } term && !(next < since + term + TermMargin)) next = since + term + TermMargin;
            return next;
        }
    }

    /// <summary>
    /// Of a node whose term has ended unheard nothing runs any more, wherever it is: that is evidence, as long as nobody renews the terms
    /// of a node that is not known here to be up.
    /// </summary>
    private void EndTerms(Batch batch)
    {
        if (!(NextTerm <= batch.Now)) return;
        foreach (var (node, since) in _unheard.ToList())
        {
            if (TermOf(node) is not { } term || since + term + TermMargin > batch.Now) continue;
            foreach (var job in _holdings.JobsOn(node)?.ToList() ?? [])
            {
                if (!_jobs.TryGetValue(job, out var held) || !_attempts.TryGetValue(job, out var live)) continue;
                for (var i = 0; i < live.Ranks.Length; i++)
                    if (live.Ranks[i].Node == node)
                        RankOver(held.Attempt, i, node, r => r.Evidence = $"nothing was heard of {node} for its term of {Units.Durations.Format(term)}, and its runner has stopped it by then", batch);
            }
        }
    }
}
