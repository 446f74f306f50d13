using System.Globalization;
using System.Text.Json;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Engine;

// What is known in advance of when nodes are there: maintenance, capacity that begins, and capacity that ends.
public sealed partial class World
{
    private int _lastWindow;
    // Boundaries until then were told, or were past when their window was set: stored, so that those that pass while no daemon runs are told by the next.
    private const string TurnedNote = "turned";
    private DateTimeOffset _turned = DateTimeOffset.MaxValue;

    private Answer SetWindow(Window asked, Batch batch)
    {
        var window = asked with { Number = ++_lastWindow, Announced = batch.Now, Removed = null };
        batch.Say("window", $"window {window.Number}: {window}");
        return new(Window: Keep(window, batch));
    }

    private Answer RemoveWindow(int number, Batch batch)
    {
        if (!_grid.Windows.TryGetValue(number, out var window)) return new(Error: $"there is no window {number}, or it is over");
        batch.Say("window", $"window {number} is removed: {window.Target} is not closed by it any more");
        var removed = Keep(window with { Removed = batch.Now }, batch);
        // Whoever takes a node back has looked at it.
        if (window.Node is { } node) Unavoid(node, batch);
        return new(Window: removed);
    }

    private Window Keep(Window window, Batch batch)
    {
        _grid.Close(window);
        _asksAll = true;
        batch.Add(new Change.NoteSet(WindowNotes.Key(window.Number), WindowNotes.Write(window)));
        NoteTurn(batch);
        return window;
    }

    private void RecallWindows(IEnumerable<KeyValuePair<string, string>> notes)
    {
        foreach (var (key, text) in notes)
        {
            if (key == TurnedNote && DateTimeOffset.TryParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.None, out var turned)) _turned = turned;
            if (WindowNotes.Read(key, text) is not { } window) continue;
            _lastWindow = Math.Max(_lastWindow, window.Number);
            _grid.Close(window);
        }
    }

    /// <summary>How long a node must stay open for a live job to start there now.</summary>
    public TimeSpan StayOf(JobId job, DateTimeOffset now) => _scheduler.StayOf(ClaimOf(_jobs[job]), Clock(now));

    private void Set(Node node) => _holdings.Set(node, _grid.WindowsOf(_grid.Find(node.Id)));

    /// <summary>Time has come to this batch: nodes close and open.</summary>
    private void Turn(Batch batch)
    {
        var told = batch.Events.Count;
        foreach (var window in _grid.Windows.Values)
        {
            var (closes, opens) = (window.From > _turned && window.From <= batch.Now, window.To > _turned && window.To <= batch.Now);
            if (closes && opens) batch.Say("opened", $"{window.Target} was closed {window.Until}, and is open again");
            else if (closes) batch.Say("closed", window.Target + " is closed " + window.Until);
            else if (opens) batch.Say("opened", window.Target + " is open again");
        }
        _turned = batch.Now;
        if (batch.Events.Count > told) NoteTurn(batch);
        var isLess = false;
        foreach (var index in _grid.Turn(Clock(batch.Now)))
        {
            if (_holdings.Find(_grid.NodeAt(index).Id) is not { } node) continue;
            Set(node);
            batch.Nodes.Add(node.Id);
            isLess |= _holdings.Uses[node.Id].Closed is { To: null };
        }
        if (isLess) Unavoid(null, batch);
    }

    private static void NoteTurn(Batch batch) => batch.Add(new Change.NoteSet(TurnedNote, batch.Now.ToString("O", CultureInfo.InvariantCulture)));

    /// <summary>A job's node has closed: it saves and leaves, and goes on when and where there is room.</summary>
    private void LeaveClosed(Job job, Batch batch)
    {
        if (job.State is JobState.Stopping { Reason: not StopReason.RankLost }) return;
        var live = _attempts[job.Id];
        var node = live.Record.Nodes.First(n => _grid.WindowsOf(_grid.Find(n)).Now is not null);
        var why = $"{node}, which is closed {_grid.WindowsOf(_grid.Find(node)).Now!.Until}";
        batch.Set(live.Record = live.Record with { Preempted = batch.Now });
        SaveAndLeave(job, StopReason.Closed, why, $"its node {why}", why, batch);
    }
}

/// <summary>How windows are kept among the notes.</summary>
public static class WindowNotes
{
    private const string Prefix = "window/";

    public static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}");

    public static string Write(Window window) => JsonSerializer.Serialize(window, EngineJson.Stored.Window);

    /// <summary>The window that a note is of; null where it is about something else.</summary>
    public static Window? Read(string key, string text) =>
        key.StartsWith(Prefix, StringComparison.Ordinal) ? JsonSerializer.Deserialize(text, EngineJson.Stored.Window) : null;
}
