using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>
/// The waiting jobs, kept by what they ask for: of equal requests only the first can be the next to start, so that a pass looks at
/// shapes and not at every job of a long line.
/// </summary>
public sealed class Line
{
    private readonly Dictionary<Request, SortedSet<Turn>> _shapes = [];

    public Line() { }

    public Line(IEnumerable<Job> jobs)
    {
        foreach (var job in jobs) Add(job);
    }

    public void Add(Job job)
    {
        if (!_shapes.TryGetValue(job.Request, out var turns)) _shapes[job.Request] = turns = [];
        turns.Add(Turn.Of(job));
    }

    /// <summary>A job that is not in the line changes nothing.</summary>
    public void Remove(Job job)
    {
        if (_shapes.TryGetValue(job.Request, out var turns) && turns.Remove(Turn.Of(job)) && turns.Count == 0) _shapes.Remove(job.Request);
    }

    /// <summary>
    /// The jobs in order, the first first, as long as those of their shape are wanted: after one for which <paramref name="goesOn"/>
    /// says no, the others of its shape are passed over. The line must not change meanwhile.
    /// </summary>
    internal IEnumerable<JobId> InOrder(Func<Request, bool> goesOn)
    {
        // No two turns are equal: the order is the line's, whatever the dictionary's.
        var heads = new PriorityQueue<(Request Request, IEnumerator<Turn> Turns), Turn>();
        foreach (var (request, turns) in _shapes) Queue(request, turns.GetEnumerator());
        while (heads.TryDequeue(out var shape, out var turn))
        {
            yield return turn.Job;
            if (goesOn(shape.Request)) Queue(shape.Request, shape.Turns);
        }

        void Queue(Request request, IEnumerator<Turn> turns)
        {
            if (turns.MoveNext()) heads.Enqueue((request, turns), turns.Current);
        }
    }
}
