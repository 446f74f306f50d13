using Puces.Core.Contract;

namespace Puces.Providers.Agents;

/// <summary>
/// The connection to a node's agent, kept open: an agent that ends is reported and started again. Attempts outlive it on both sides,
/// so that nothing is lost by an end: the next <see cref="FromNode.Hello"/> says what is there.
/// </summary>
public sealed class NodeLink(string node, INodeShell shell, Pace pace, INodeListener listener, Action<string> log) : IAsyncDisposable
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(30), Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan[] Pauses = [.. ((double[])[0.2, 0.5, 1, 2, 5]).Select(TimeSpan.FromSeconds)];

    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private volatile AgentConnection? _agent;
    private volatile bool _isUp;
    private bool _isDisposed;

    public string Node => node;
    public INodeShell Shell => shell;

    /// <summary>The agent has said hello, and is there as far as we know.</summary>
    public bool IsUp => _isUp;

    public int? AgentPid => _agent?.Id;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Says something to the agent; nothing while the link is down, since whatever matters is said again after a hello.</summary>
    public void Send(ToNode message)
    {
        if (_isUp) _agent?.Send(message);
    }

    /// <summary>Ends the agent, and only the agent: the attempts on the node go on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        await _stopping.CancelAsync();
        await _running.WaitAsync(Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        for (var failures = 0; !_stopping.IsCancellationRequested; failures++)
        {
            var begun = Environment.TickCount64;
            var why = await ConnectAsync();
            if (_stopping.IsCancellationRequested) return;
            await TellAsync(() => listener.DownAsync(node, why));
            if (Environment.TickCount64 - begun > Settled.TotalMilliseconds) failures = 0;
            await Task.Delay(Pauses[Math.Min(failures, Pauses.Length - 1)], _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One connection, from its start to its end; answers why it ended.</summary>
    private async Task<string> ConnectAsync()
    {
        AgentConnection agent;
        try
        {
            agent = await AgentConnection.OpenAsync(shell, pace, () => listener.Knows(node), line => log($"{node}: {line}"), _stopping.Token);
        }
        catch (ProviderException e)
        {
            return e.Hint is { } hint ? $"{e.Message} ({hint})" : e.Message;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return $"its agent cannot be started: {e.Message}";
        }
        _agent = agent;
        var error = default(string);
        await using (agent)
        await using (_stopping.Token.Register(() => _ = agent.HangUpAsync()))
        {
            try
            {
                await agent.ListenAsync(HearAsync, text => TellAsync(() => listener.ProblemAsync(node, null, text)));
            }
            catch (Exception e) when (e is IOException or InvalidDataException or ObjectDisposedException or OperationCanceledException)
            {
                error = $"the connection to its agent failed: {e.Message}";
            }
            _isUp = false;
            _agent = null;
            var end = await agent.EndAsync();
            return error ?? end;
        }
    }

    private ValueTask HearAsync(FromNode message)
    {
        switch (message)
        {
            case FromNode.Hello hello:
                _isUp = true;
                return TellAsync(() => listener.HelloAsync(node, hello));
            case FromNode.Report report: return TellAsync(() => listener.ReportAsync(node, report.Rank));
            case FromNode.Log text: return TellAsync(() => listener.LogAsync(node, text));
            case FromNode.Gone gone: return TellAsync(() => listener.GoneAsync(node, gone.Tag));
            case FromNode.Problem problem: return TellAsync(() => listener.ProblemAsync(node, problem.Tag, problem.Message));
            default: return ValueTask.CompletedTask;
        }
    }

    /// <summary>A listener that throws is a bug of ours: it is logged, and the link goes on, since the other ranks still need it.</summary>
    private async ValueTask TellAsync(Func<ValueTask> tell)
    {
        try
        {
            await tell();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // Whatever it is, one message must not end the conversation.
        catch (Exception e)
        {
            log($"{node}: a message could not be handled: {e}");
        }
#pragma warning restore CA1031
    }
}
