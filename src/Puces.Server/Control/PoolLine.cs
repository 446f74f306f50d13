using System.Threading.Channels;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Providers;

namespace Puces.Server.Control;

/// <summary>
/// Speaks with one pool that has a line of its own: asks it for leases and gives them back, one thing at a time, and looks at all of ours in
/// one call: often while one is on its way, seldom while nothing changes. It keeps nothing that a restart would miss.
/// </summary>
internal sealed class PoolLine : IAsyncDisposable
{
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(0.5), Slow = TimeSpan.FromSeconds(15), OffersLast = TimeSpan.FromSeconds(20);

    private readonly Inbox _inbox;
    private readonly TimeProvider _clock;
    private readonly Action<string> _log;
    private readonly Channel<Effect> _work = Channel.CreateUnbounded<Effect>(new() { SingleReader = true });
    private readonly CancellationTokenSource _ending = new();
    private readonly Dictionary<LeaseId, LeaseRequest> _asking = [];
    private readonly HashSet<LeaseId> _leaving = [];
    private readonly Task _running;
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
        var pause = Quick;
        try
        {
            while (true)
            {
                var isBusy = false;
                while (_work.Reader.TryRead(out var effect))
                {
                    isBusy = true;
                    if (effect is Effect.Acquire ask) _asking[ask.Request.Id] = ask.Request;
                    if (effect is not Effect.Release { Lease: var id }) continue;
                    _asking.Remove(id);
                    _leaving.Add(id);
                }
                var isMoving = await TryAsync(WorkAsync) && await TryAsync(LookAsync) && _isMoving;
                pause = isBusy || isMoving && pause < Quick * 4 ? Quick : pause * 2 < Slow ? pause * 2 : Slow;
                if (isMoving && pause > Quick * 4) pause = Quick * 4;
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

    private bool _isMoving;

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
