using Puces.Core.Scheduling;

namespace Puces.Core.Replay;

// Jobs of which every attempt was recorded. On the pool and under the policy of the record each holds its devices exactly as it did.
// Elsewhere, one that is stopped at another moment than it was keeps what it did until then, and goes on with the rest.
public sealed partial class Replayer
{
    private void Start(Claim claim, IReadOnlyList<TraceAttempt> attempts)
    {
        ref var run = ref _runs[claim.Number];
        if (run.Attempt == 1) run.Left = LeftFrom(attempts, 0);
        claim.SavesEvery = attempts[run.Recorded].SavesEvery;
        _ends.Enqueue(((int)claim.Number, run.Attempt, Turn.End), ((_now + run.Left).Ticks, (int)claim.Number));
    }

    /// <summary>Whether the job is over.</summary>
    private bool Turns(int job, IReadOnlyList<TraceAttempt> attempts, Turn turn)
    {
        ref var run = ref _runs[job];
        var claim = run.Claim!;
        if (turn == Turn.Return)
        {
            _scheduler.Add(claim, _now);
            return false;
        }
        var held = _now - claim.Since;
        _held += held * DevicesOf(claim);
        if (turn == Turn.Leave)
        {
            Leave(claim, attempts, held);
            return false;
        }
        var last = LastFrom(attempts, run.Recorded);
        var worked = held - (attempts[last].Held - attempts[last].Worked);
        if (last < attempts.Count - 1)
        {
            var unsaved = attempts[last].Worked - attempts[last].Kept;
            _scheduler.Leave(claim, claim.Worked + (attempts[last].Kept > TimeSpan.Zero && worked > unsaved ? worked - unsaved : TimeSpan.Zero));
            (run.Recorded, run.Left) = (last + 1, LeftFrom(attempts, last + 1));
            _ends.Enqueue((job, run.Attempt, Turn.Return), ((_now + attempts[last].Pause).Ticks, job));
            return false;
        }
        run.End = _now;
        _scheduler.End(claim, claim.Worked + worked, _now);
        run.Claim = null;
        return true;
    }

    private bool Stop(Claim claim, IReadOnlyList<TraceAttempt> attempts)
    {
        ref var run = ref _runs[claim.Number];
        var was = attempts[run.Recorded];
        _preemptions++;
        // It was told, and came to its end before it had left.
        if (was.Leaving is not null && run.Recorded == attempts.Count - 1) return false;
        run.Attempt++;
        run.Left -= _now - claim.Since;
        if (was.Leaving is { Ticks: > 0 } leaving)
        {
            _ends.Enqueue(((int)claim.Number, run.Attempt, Turn.Leave), ((_now + leaving).Ticks, (int)claim.Number));
            return false;
        }
        _held += (_now - claim.Since) * DevicesOf(claim);
        Leave(claim, attempts, _now - claim.Since);
        return true;
    }

    private void Leave(Claim claim, IReadOnlyList<TraceAttempt> attempts, TimeSpan held)
    {
        ref var run = ref _runs[claim.Number];
        var was = attempts[run.Recorded];
        if (was.Leaving is not null) run.Recorded++;
        else
        {
            run.Left += _costs.Restart;
            _lost += _costs.Restart * DevicesOf(claim);
        }
        _scheduler.Leave(claim, claim.Worked + (was.Leaving is not null && held == was.Held ? was.Kept : held));
        _scheduler.Add(claim, _now);
    }

    /// <summary>The first attempt from there on that was not stopped for another: what it ended of is its own.</summary>
    private static int LastFrom(IReadOnlyList<TraceAttempt> attempts, int from)
    {
        while (from < attempts.Count - 1 && attempts[from].Leaving is not null) from++;
        return from;
    }

    /// <summary>How long the job then holds devices until it leaves them by itself.</summary>
    private static TimeSpan LeftFrom(IReadOnlyList<TraceAttempt> attempts, int from)
    {
        var left = TimeSpan.Zero;
        for (var last = LastFrom(attempts, from); from < last; from++) left += attempts[from].Held - attempts[from].Leaving!.Value;
        return left + attempts[from].Held;
    }
}
