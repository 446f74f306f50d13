using Puces.Core.Engine;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>
/// The one writer: applies what waits, stores it in one transaction, and only then answers and releases effects. If a commit fails
/// it throws the world away and begins again from what is stored.
/// </summary>
public sealed partial class Writer(ServerOptions options, Inbox inbox, Live live, Nodes nodes, PoolProviders providers, ServerFile server, TimeProvider clock, ILogger<Writer> log) : BackgroundService
{
    private static readonly TimeSpan[] Pauses = [.. new[] { 0.2, 1, 2, 5, 10 }.Select(TimeSpan.FromSeconds)];

    // What opens in a year is further away than a timer goes; to look once a day does no harm.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var failures = 0; !stoppingToken.IsCancellationRequested;)
        {
            var began = clock.GetTimestamp();
            try
            {
                await LiveOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is StoreException or OperationCanceledException)
            {
                // Not ahead of the store: what was not stored has not happened, and what may be stored is read again.
                if (clock.GetElapsedTime(began) > TimeSpan.FromMinutes(1)) failures = 0;
                var pause = Pauses[Math.Min(failures++, Pauses.Length - 1)];
                LogStoreFailed(e.Message, pause.TotalSeconds);
                await Task.Delay(pause, clock, stoppingToken);
            }
        }
    }

    private async Task LiveOnceAsync(CancellationToken stop)
    {
        await using var store = Stores.Open(options.Store);
        try
        {
            await store.MigrateAsync(stop);
            inbox.ClosedBecause = "this daemon stands by: another one leads";
            await live.StandByAsync(options.Store, store.LeadAsync, stop);
            using var life = CancellationTokenSource.CreateLinkedTokenSource(stop, store.Deposed);
            var stored = await store.LoadAsync(clock.GetUtcNow() - World.KeyLife, life.Token);
            var world = new World(stored.LiveJobs, stored.LiveAttempts, stored.Pools, stored.Keys, stored.LastJob, stored.LastEvent, stored.Notes, clock.GetUtcNow());
            server.Leads();
            live.Lead(store, stored);
            // What slipped in while the last life ended is of that life.
            inbox.FailAll(new StoreException("the daemon begins again from its store"));
            inbox.ClosedBecause = null;
            LogLeads(store.Description, stored.LiveJobs.Count);
            providers.Instance = await InstanceAsync(store, stored, life.Token);
            nodes.Begin(store, world.Resume());
            if (stored.Pools.Count == 0) inbox.Tell(new Command.SetPool(options.FirstPool));
            await LoopAsync(world, store, life.Token);
        }
        catch (Exception e)
        {
            inbox.ClosedBecause = stop.IsCancellationRequested ? "the daemon is stopping" : "the store failed: " + e.Message;
            inbox.FailAll(new StoreException(inbox.ClosedBecause, e));
            throw;
        }
        finally
        {
            live.Close();
            await nodes.EndAsync();
            _arrival = null;
        }
    }

    /// <summary>A name that no other daemon's store has, given once.</summary>
    private static async Task<string> InstanceAsync(IStore store, Stored stored, CancellationToken ct)
    {
        const string key = "instance";
        if (stored.Notes.FirstOrDefault(n => n.Key == key).Value is { Length: > 0 } given) return given;
        var made = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(6));
        await store.CommitAsync([new Change.NoteSet(key, made)], [], ct);
        return made;
    }

    private async Task LoopAsync(World world, IStore store, CancellationToken ct)
    {
        var now = DateTimeOffset.MinValue;
        while (await WaitAsync(world.NextTick, ct))
        {
            var letters = inbox.TakeAll();
            var commands = letters.Count == 1 ? letters[0].Commands : [.. letters.SelectMany(l => l.Commands)];
            try
            {
                // Each batch has a moment of its own, so that a replay can tell them apart.
                now = clock.GetUtcNow() is var read && read > now ? read : now.AddTicks(1);
                var outcome = world.Apply(commands, now);
                CrashPoint.Pass("before-commit");
                if (outcome.Changes.Count > 0 || outcome.Events.Count > 0) await store.CommitAsync(outcome.Changes, outcome.Events, CancellationToken.None);
                CrashPoint.Pass("after-commit");
                live.Publish(outcome);
                Answer(letters, outcome.Answers);
                CrashPoint.Pass("after-answer");
                nodes.Post(outcome.Effects, live.View.Nodes);
            }
            catch (Exception e)
            {
                foreach (var letter in letters) letter.Reply?.TrySetException(new StoreException("whether this was stored is unknown, since the store failed: " + e.Message, e));
                throw;
            }
        }
    }

    private static void Answer(List<Inbox.Letter> letters, IReadOnlyList<Answer> answers)
    {
        var at = 0;
        foreach (var letter in letters)
        {
            letter.Reply?.TrySetResult(letters.Count == 1 ? answers : [.. Enumerable.Range(at, letter.Commands.Count).Select(i => answers[i])]);
            at += letter.Commands.Count;
        }
    }

    /// <summary>Until there is something to apply, or a tick is due; false once nothing will come any more.</summary>
    private async Task<bool> WaitAsync(DateTimeOffset? tick, CancellationToken ct)
    {
        _arrival ??= inbox.WaitAsync(ct).AsTask();
        if (!_arrival.IsCompleted && tick is { } at)
        {
            var wait = at - clock.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                using var timer = CancellationTokenSource.CreateLinkedTokenSource(ct);
                await Task.WhenAny(_arrival, Task.Delay(wait < LongestWait ? wait : LongestWait, clock, timer.Token));
                await timer.CancelAsync();
            }
            if (!_arrival.IsCompleted)
            {
                ct.ThrowIfCancellationRequested();
                return true;
            }
        }
        var arrival = _arrival;
        _arrival = null;
        return await arrival;
    }

    private Task<bool>? _arrival;

    [LoggerMessage(Level = LogLevel.Information, Message = "leads on {Store}, {Jobs} live jobs")]
    private partial void LogLeads(string store, int jobs);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}; begins again from the store in {Seconds} s")]
    private partial void LogStoreFailed(string message, double seconds);
}
