using System.Threading.Channels;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Providers;

namespace Puces.Server.Control;

/// <summary>
/// Speaks with one pool that has a line of its own: asks it for leases and gives them back, one thing at a time, and looks at all of ours in
/// one call: the more often the less ago something was asked for or has changed. It keeps nothing that a restart would miss.
/// </summary>
internal sealed class PoolLine : IAsyncDisposable
{
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(0.1), Slow = TimeSpan.FromSeconds(15), OffersLast = TimeSpan.FromSeconds(20);

    // What has come after a wait is seen after a tenth of that wait at most.
    private const int Late = 10;

    private readonly Inbox _inbox;
    private readonly TimeProvider _clock;
    private readonly Action<string> _log;
    private readonly Channel<Effect> _work = Channel.CreateUnbounded<Effect>(new() { SingleReader = true });
    private readonly CancellationTokenSource _ending = new();
    private readonly Dictionary<LeaseId, LeaseRequest> _asking = [];
    private readonly HashSet<LeaseId> _leaving = [];
    private readonly Task _running;
    private Dictionary<LeaseId, LeaseState> _states = [];
    private DateTimeOffset _news;
    private bool _isMoving;
    private DateTimeOffset _offersSeen = DateTimeOffset.MinValue;

    public PoolLine(Pool pool, IProvider provider, Inbox inbox, TimeProvider clock, Action<string> log)
    {
        (Pool, Provider, _inbox, _clock, _log) = (pool, provider, inbox, clock, log);
        _running = Task.Run(RunAsync);
    }

    public Pool Pool { get; }
    public IProvider Provider { get; }

    /// <summary>What it could give when it was last asked.</summary>
    public IReadOnlyList<Offer> Offers { get; private set; } = [];

    /// <summary>Why it cannot be asked; null while it can.</summary>
    public string? Problem { get; private set; } = "it has not answered yet";

    public void Post(Effect effect) => _work.Writer.TryWrite(effect);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        await Provider.DisposeAsync();
        _ending.Dispose();
    }

    private async Task RunAsync()
    {
        _news = _clock.GetUtcNow();
        try
        {
            while (true)
            {
                while (_work.Reader.TryRead(out var effect))
                {
                    _news = _clock.GetUtcNow();
                    if (effect is Effect.Acquire ask) _asking[ask.Request.Id] = ask.Request;
                    if (effect is not Effect.Release { Lease: var id }) continue;
                    _asking.Remove(id);
                    _leaving.Add(id);
                }
                var isStill = await TryAsync(WorkAsync) && await TryAsync(LookAsync) && !_isMoving;
                var late = (_clock.GetUtcNow() - _news) / Late;
                var pause = isStill || late > Slow ? Slow : late < Quick ? Quick : late;
                using var timer = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
                await Task.WhenAny(_work.Reader.WaitToReadAsync(timer.Token).AsTask(), Task.Delay(pause, _clock, timer.Token));
                await timer.CancelAsync();
                _ending.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
        }
    }

    private async Task WorkAsync()
    {
        foreach (var id in _leaving.ToList())
        {
            await Provider.ReleaseAsync(id, _ending.Token);
            _leaving.Remove(id);
        }
        foreach (var request in _asking.Values.ToList())
        {
            try
            {
                await Provider.AcquireAsync(request, _ending.Token);
                _asking.Remove(request.Id);
            }
            catch (ProviderException e) when (e.Remedy is not Remedy.Retry)
            {
                _asking.Remove(request.Id);
                _inbox.Tell(new Command.LeaseRefused(request.Id, e.Hint is { } hint ? $"{e.Message} ({hint})" : e.Message));
            }
        }
    }

    private async Task LookAsync()
    {
        if (_clock.GetUtcNow() - _offersSeen >= OffersLast)
        {
            Offers = await Provider.OffersAsync(_ending.Token);
            _offersSeen = _clock.GetUtcNow();
            _inbox.Tell(new Command.OffersSeen(Pool.Name, Offers));
        }
        var leases = await Provider.ObserveAsync(_ending.Token);
        var states = leases.ToDictionary(l => l.Id, l => l.State);
        if (states.Count != _states.Count || states.Any(s => !_states.TryGetValue(s.Key, out var was) || was != s.Value)) _news = _clock.GetUtcNow();
        _states = states;
        // What is being given back is no news to anybody.
        _inbox.Tell(new Command.LeasesSeen(Pool.Name, [.. leases.Where(l => !_leaving.Contains(l.Id))]));
        _isMoving = leases.Any(l => l.State is LeaseState.Waiting) || _leaving.Count > 0;
    }

    /// <summary>A pool that cannot be asked says nothing of its leases: it is asked again later, and whoever looks is told why.</summary>
    private async Task<bool> TryAsync(Func<Task> what)
    {
        try
        {
            await what();
            Problem = null;
            return true;
        }
        catch (ProviderException e)
        {
            if (Problem != e.Message) _log(e.Message);
            Problem = e.Message;
        }
#pragma warning disable CA1031 // Whatever it is, the pool is asked again.
        catch (Exception e) when (e is not OperationCanceledException || !_ending.IsCancellationRequested)
        {
            _log(e.ToString());
            Problem = e.Message;
        }
#pragma warning restore CA1031
        return false;
    }
}
