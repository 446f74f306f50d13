using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>
/// The waiting jobs in order, kept by request: where one cannot start, all who ask for the same are passed over at once, so that a pass
/// costs what there is to decide and not what waits.
/// </summary>
public sealed class Line
{
    private readonly Dictionary<Request, SortedDictionary<Turn, Job>> _waiting = [];
    private readonly SortedDictionary<Turn, Request> _heads = [];

    public void Add(Job job)
    {
        if (!_waiting.TryGetValue(job.Request, out var same)) _waiting[job.Request] = same = [];
        var turn = Turn.Of(job);
        if (same.Count == 0) _heads[turn] = job.Request;
        else if (First(same) is var first && turn < first)
        {
            _heads.Remove(first);
            _heads[turn] = job.Request;
        }
        same[turn] = job;
    }

    /// <summary>Without effect where the job does not wait here.</summary>
    public void Remove(Job job)
    {
        var turn = Turn.Of(job);
        if (!_waiting.TryGetValue(job.Request, out var same) || !same.Remove(turn)) return;
        if (_heads.Remove(turn) && same.Count > 0) _heads[First(same)] = job.Request;
        if (same.Count == 0) _waiting.Remove(job.Request);
    }

    /// <summary>The first first. Jobs whose request is in <paramref name="passed"/> are left out, from the moment it is put there.</summary>
    public IEnumerable<Job> InOrder(IReadOnlySet<Request> passed)
    {
        // Turns are never equal, so that the queue has no ties.
        var behind = new PriorityQueue<IEnumerator<KeyValuePair<Turn, Job>>, Turn>();
        using var heads = _heads.GetEnumerator();
        var hasHead = heads.MoveNext();
        while (hasHead || behind.Count > 0)
        {
            IEnumerator<KeyValuePair<Turn, Job>> same;
            if (hasHead && (!behind.TryPeek(out _, out var turn) || heads.Current.Key < turn))
            {
                same = _waiting[heads.Current.Value].GetEnumerator();
                same.MoveNext();
                hasHead = heads.MoveNext();
            }
            else same = behind.Dequeue();
            var job = same.Current.Value;
            if (passed.Contains(job.Request)) continue;
            yield return job;
            if (!passed.Contains(job.Request) && same.MoveNext()) behind.Enqueue(same, same.Current.Key);
        }
    }

    private static Turn First(SortedDictionary<Turn, Job> same)
    {
        foreach (var turn in same.Keys) return turn;
        throw new InvalidOperationException("nobody waits");
    }
}
