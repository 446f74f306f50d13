using Puces.Core.Engine;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>What readers use: the newest view, the store for what has left memory, and a signal when something has changed.</summary>
public sealed class Live(TimeProvider clock)
{
    private static readonly TimeSpan StandbyPace = TimeSpan.FromSeconds(1);

    private readonly Outlook _outlook = new(clock);
    private volatile View _view = View.Empty;
    private volatile IStore? _store;
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public View View => _view;

    /// <summary>Who knows how pools with a line of their own are.</summary>
    internal void Ask(Func<string, PoolSeen?> pool) => _outlook.Pool = pool;

    /// <summary>True while this daemon writes.</summary>
    public bool Leads { get; private set; }

    /// <summary>True once views are of the store, ours or the leader's.</summary>
    public bool IsReady => _store is not null;

    /// <summary>Number of the newest line of the feed.</summary>
    public long LastEvent { get; private set; }

    public DateTimeOffset Started { get; } = clock.GetUtcNow();

    /// <summary>Where ended jobs, specs and the feed are read.</summary>
    public IStore Store => _store ?? throw new StoreException("the daemon is starting, or its store cannot be reached");

    /// <summary>Completes when something is different from what was seen before the call.</summary>
    public Task Changed => _changed.Task;

    /// <summary>Waits for the lead; while another daemon has it, shows what that one stores.</summary>
    internal async Task StandByAsync(string location, Func<CancellationToken, Task> lead, CancellationToken ct)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var leading = lead(waiting.Token);
        try
        {
            if (await Task.WhenAny(leading, Task.Delay(StandbyPace, clock, ct)) != leading)
            {
                await using var reader = Stores.Open(location);
                while (!leading.IsCompleted)
                {
                    var stored = await reader.LoadAsync(clock.GetUtcNow(), ct);
                    _view = View.Of(stored, _outlook);
                    (_store, LastEvent) = (reader, stored.LastEvent);
                    Signal();
                    await Task.WhenAny(leading, Task.Delay(StandbyPace, clock, ct));
                }
                _store = null;
            }
            await leading;
        }
        catch
        {
            // Nobody waits on a store that is about to be closed.
            await waiting.CancelAsync();
            await leading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    internal void Lead(IStore store, Stored stored)
    {
        (_store, _view, Leads, LastEvent) = (store, View.Of(stored, _outlook), true, stored.LastEvent);
        Signal();
    }

    internal void Publish(Outcome outcome)
    {
        if (outcome is { Changes.Count: 0, Nodes.Count: 0, Events.Count: 0 }) return;
        _view = _view.After(outcome);
        _outlook.Note(outcome);
        if (outcome.Events.Count > 0) LastEvent = outcome.Events[^1].Seq;
        Signal();
    }

    internal void Close()
    {
        (Leads, _store) = (false, null);
        Signal();
    }

    /// <summary>Something beside the view has changed, such as a log.</summary>
    internal void Signal()
    {
        var was = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        was.TrySetResult();
    }
}
