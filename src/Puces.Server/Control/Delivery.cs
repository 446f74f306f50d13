using System.Collections.Concurrent;
using System.Globalization;
using Puces.Core.Contract;
using Puces.Providers;

namespace Puces.Server.Control;

/// <summary>
/// Brings to one node what its ranks need before they start, one after another, so that a slow line to it keeps no other node waiting.
/// What is asked of a rank later comes after its start, and a stop breaks off what is still on its way.
/// </summary>
internal sealed class Delivery(INodeShell shell, string blobs, TimeProvider clock) : IAsyncDisposable
{
    private const int Tries = 3;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly HashSet<string> _there = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _underWay = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _gate = new();
    private Task _last = Task.CompletedTask;

    /// <summary>Nothing is on its way, and nothing would have to be sent.</summary>
    public bool IsIdle => shell.SharesBlobs || _underWay.IsEmpty && _last.IsCompleted;

    /// <summary>Brings the files of an order, once it is made, then calls <paramref name="start"/>; or <paramref name="refuse"/>, where that cannot be done.</summary>
    public void Start(string tag, Func<CancellationToken, Task<RankOrder>> make, Action<RankOrder> start, Action<string> refuse)
    {
        var breaking = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        if (!_underWay.TryAdd(tag, breaking)) return;
        Then(async () =>
        {
            try
            {
                var order = await make(breaking.Token);
                foreach (var blob in Needed(order)) await BringAsync(blob, breaking.Token);
                start(order);
            }
            catch (ProviderException e)
            {
                refuse(e.Message);
            }
            catch (OperationCanceledException)
            {
                // It was stopped meanwhile, or the node is let go of: whoever stops it is told that nothing is there.
            }
            finally
            {
                _underWay.TryRemove(tag, out _);
                breaking.Dispose();
            }
        });
    }

    /// <summary>Whatever follows the start of a rank.</summary>
    public void Follow(string tag, Action send, bool breaks)
    {
        if (breaks && _underWay.TryGetValue(tag, out var underWay))
        {
            try { underWay.Cancel(); }
            catch (ObjectDisposedException) { }
        }
        Then(() =>
        {
            send();
            return Task.CompletedTask;
        });
    }

    /// <summary>The node may be another behind the same name, or have lost its disk.</summary>
    public void Forget()
    {
        lock (_gate) _there.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _last;
        _ending.Dispose();
    }

    private void Then(Func<Task> work)
    {
        lock (_gate) _last = NextAsync(_last, work);

        static async Task NextAsync(Task before, Func<Task> work)
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            await work();
        }
    }

    private static IEnumerable<string> Needed(RankOrder order) =>
        ((string?[])[order.Workdir, .. order.Mounts.Values, order.Restore?.Blob]).OfType<string>().Distinct(StringComparer.Ordinal);

    private async Task BringAsync(string blob, CancellationToken ct)
    {
        lock (_gate)
            if (_there.Contains(blob)) return;
        for (var left = Tries; ; left--)
        {
            try
            {
                await SendAsync(blob, ct);
                lock (_gate) _there.Add(blob);
                return;
            }
            catch (Exception e) when (e is ProviderException or IOException && left > 1)
            {
                await Task.Delay(Pause, clock, ct);
            }
            catch (IOException e)
            {
                throw new ProviderException(Remedy.Elsewhere, e.Message, cause: e);
            }
        }
    }

    private async Task SendAsync(string blob, CancellationToken ct)
    {
        await using var process = await shell.StartAsync(["receive", blob], ct);
        await using var broken = ct.Register(process.Kill);
        using var errors = new StreamReader(process.Errors);
        var said = errors.ReadToEndAsync(CancellationToken.None);
        using var output = new StreamReader(process.Output);
        try
        {
            if (await output.ReadLineAsync(ct) is "need")
            {
                await using var file = File.OpenRead(Path.Combine(blobs, blob[..2], blob));
                await file.CopyToAsync(process.Input, ct);
            }
        }
        catch (IOException) when (!ct.IsCancellationRequested)
        {
            // It has ended, and says why below.
        }
        try { process.Input.Close(); }
        catch (IOException) { }
        var code = await process.WaitAsync(ct);
        ct.ThrowIfCancellationRequested();
        if (code != 0)
            throw new ProviderException(Remedy.Elsewhere, $"a packed file could not be brought to it (exit code {code.ToString(CultureInfo.InvariantCulture)}): {Last(await said)}");
    }

    private static string Last(string said) => said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() is { } line
        ? line[(line.IndexOf("Exception: ", StringComparison.Ordinal) is >= 0 and var at ? at + "Exception: ".Length : 0)..] : "the connection broke off";
}
