using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

/// <summary>A window on the grid's clock: since 1970 live, since the first submission in replay.</summary>
internal readonly record struct Closing(TimeSpan From, TimeSpan To, Window Window)
{
    public static readonly Closing[] None = [];

    public static Closing Of(Window window) => new(Clock(window.From) ?? TimeSpan.MinValue, Clock(window.To) ?? TimeSpan.MaxValue, window);

    private static TimeSpan? Clock(DateTimeOffset? at) => at - DateTimeOffset.UnixEpoch;
}

// When nodes are closed. Time passes in turns: between two of them no node opens or closes.
public sealed partial class Grid
{
    private readonly SortedDictionary<int, Window> _windows = [];
    private TimeSpan _turned = TimeSpan.MinValue;

    /// <summary>The next moment at which a node opens or closes; null where none will.</summary>
    public TimeSpan? NextTurn { get; private set; }

    /// <summary>Windows that are not over yet, by number.</summary>
    public IReadOnlyDictionary<int, Window> Windows => _windows;

    /// <summary>Some node closes sometime, or is closed.</summary>
    internal bool HasWindows => _windows.Count > 0;

    /// <summary>A window is known, or no longer believed (<see cref="Window.Removed"/>). It shows with the next turn.</summary>
    public void Close(Window window)
    {
        if (window.Removed is null) _windows[window.Number] = window;
        else _windows.Remove(window.Number);
        foreach (var slot in _slots)
            if (slot.Node.Id == window.Node || window.Node is null && slot.Node.Pool == window.Pool) Schedule(slot);
        NextTurn = TimeSpan.MinValue;
    }

    /// <summary>Time has come to a moment: nodes whose windows begin close, and those whose windows end open.</summary>
    /// <returns>The nodes of which something is different.</returns>
    public IReadOnlyList<int> Turn(TimeSpan now)
    {
        if (NextTurn is not { } next || next > now) return [];
        _turned = now;
        var turned = new List<int>();
        foreach (var slot in _slots)
        {
            if (slot.Closings.Length == 0 && !slot.IsTurning) continue;
            Unlist(slot);
            slot.Turn(now);
            List(slot);
            turned.Add(slot.Index);
        }
        foreach (var over in _windows.Values.Where(w => Closing.Of(w).To <= now).ToList()) _windows.Remove(over.Number);
        NextTurn = null;
        foreach (var closing in _windows.Values.Select(Closing.Of))
        {
            var at = closing.From > now ? closing.From : closing.To;
            if (at < TimeSpan.MaxValue && (NextTurn is null || at < NextTurn)) NextTurn = at;
        }
        Freed++;
        Layout++;
        return turned;
    }

    /// <summary>The window that a node is in, and the next that it comes to; null for none.</summary>
    public (Window? Now, Window? Next) WindowsOf(int node)
    {
        var slot = _slots[node];
        Window? now = null, next = null;
        foreach (var closing in slot.Closings)
        {
            if (closing.From > _turned) next ??= closing.Window;
            else if (closing.To > _turned && (now is null || closing.To > Closing.Of(now).To)) now = closing.Window;
        }
        return (now, next);
    }

    /// <summary>It is open, and stays so until then.</summary>
    internal bool IsOpenUntil(int node, TimeSpan until) => _slots[node].IsOpen && _slots[node].ClosesAt >= until;

    /// <summary>It is up, whether it is closed for now or not.</summary>
    internal bool IsUp(int node) => _slots[node].IsUp;

    /// <summary>From when a node that is up has so much time until it closes, not before a moment; null where it never has.</summary>
    internal TimeSpan? OpenFrom(int node, TimeSpan at, TimeSpan stay)
    {
        foreach (var closing in _slots[node].Closings)
        {
            if (closing.To <= at || closing.From >= at && closing.From - at >= stay) continue;
            if (closing.To == TimeSpan.MaxValue) return null;
            at = closing.To;
        }
        return at;
    }

    private void Schedule(Slot slot)
    {
        if (_windows.Count == 0 && slot.Closings.Length == 0) return;
        Closing[] closings = [.. _windows.Values.Where(w => w.Covers(slot.Node.Pool, slot.Node.Id)).Select(Closing.Of).OrderBy(c => c.From).ThenBy(c => c.Window.Number)];
        if (closings.Length == 0 && slot.Closings.Length == 0) return;
        (slot.Closings, slot.IsTurning) = (closings, true);
        NextTurn = TimeSpan.MinValue;
    }
}
