using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Threading.Channels;
using Puces.Core.Contract;

namespace Puces.Providers.Agents;

/// <summary>How often a node is asked whether it is there, and how long it may be silent.</summary>
public sealed record Pace(TimeSpan Ping, TimeSpan Patience)
{
    /// <summary>Often enough that a term is renewed many times before it ends, and that its end is not the first that is noticed.</summary>
    /// <param name="term">How long attempts go on unheard; null for ever.</param>
    public static Pace For(TimeSpan? term)
    {
        var ping = TimeSpan.FromSeconds(Math.Clamp((term ?? TimeSpan.MaxValue).TotalSeconds / 12, 1, 5));
        return new(ping, ping * 6);
    }
}

/// <summary>One agent, from its start to the end of its connection.</summary>
internal sealed class AgentConnection : IAsyncDisposable
{
    private const int Longest = 64 << 20, Plenty = 256 * 1024;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly INodeProcess _process;
    private readonly Channel<ToNode> _outgoing = Channel.CreateUnbounded<ToNode>(new() { SingleReader = true });
    private readonly CancellationTokenSource _ended = new();
    private readonly Lazy<Task> _end;
    private readonly Task _writing, _pinging, _complaining;
    private readonly Pace _pace;
    private readonly Func<bool> _renews;
    private long _listeningSince = long.MaxValue, _heard;
    private volatile string? _lastError;

    private AgentConnection(INodeProcess process, Pace pace, Func<bool> renews, Action<string> log)
    {
        (_process, _pace, _renews) = (process, pace, renews);
        Id = process.ProcessId;
        _end = new(CloseAsync);
        _writing = WriteAsync();
        _pinging = PingAsync();
        _complaining = RelayErrorsAsync(log);
    }

    /// <summary>The process of this machine that it is, or that leads to it.</summary>
    public int? Id { get; }

    /// <summary>Why this side has given the agent up; null where it has not.</summary>
    public string? GivenUp { get; private set; }

    /// <exception cref="ProviderException">The node cannot be reached.</exception>
    /// <param name="renews">Whether the engine knows of the connection, so that terms may go on.</param>
    public static async Task<AgentConnection> OpenAsync(INodeShell shell, Pace pace, Func<bool> renews, Action<string> log, CancellationToken ct) =>
        new(await shell.StartAsync(["agent"], ct), pace, renews, log);

    public void Send(ToNode message) => _outgoing.Writer.TryWrite(message);

    /// <summary>What the agent says, until the connection ends.</summary>
    public async Task ListenAsync(Func<FromNode, ValueTask> hear, Func<string, ValueTask> misheard)
    {
        var reader = PipeReader.Create(_process.Output, new(bufferSize: 64 * 1024, minimumReadSize: 4096));
        try
        {
            while (true)
            {
                Volatile.Write(ref _listeningSince, Environment.TickCount64);
                var read = await reader.ReadAsync(CancellationToken.None);
                Volatile.Write(ref _listeningSince, long.MaxValue);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var (message, error) = Parse(buffer.Slice(0, end));
                    if (error is not null) await misheard(error);
                    else if (message is FromNode.Pong pong) Volatile.Write(ref _heard, pong.Number);
                    else if (message is not null) await hear(message);
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }
                if (buffer.Length > Longest) throw new InvalidDataException($"the agent said a line of more than {Longest >> 20} MiB");
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted) return;
            }
        }
        finally
        {
            Volatile.Write(ref _listeningSince, long.MaxValue);
            await reader.CompleteAsync();
        }
    }

    /// <summary>How the process ended, in words. It is given a moment to go, then killed: the agent only, never an attempt.</summary>
    public async Task<string> EndAsync()
    {
        await HangUpAsync();
        await _pinging;
        await _writing;
        await _complaining.WaitAsync(Farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var code = await _process.WaitAsync(CancellationToken.None);
        return GivenUp ?? (code == 0 ? "its agent went" : $"its agent ended with exit code {code}{(_lastError is { } said ? ": " + said : "")}");
    }

    /// <summary>Ends the connection; when this is done the process is no more.</summary>
    public Task HangUpAsync() => _end.Value;

    private async Task CloseAsync()
    {
        _outgoing.Writer.TryComplete();
        await _ended.CancelAsync();
        try
        {
            _process.Input.Close();
            using var patience = new CancellationTokenSource(Farewell);
            await _process.WaitAsync(patience.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            _process.Kill();
            await _process.WaitAsync(CancellationToken.None);
        }
    }

    public ValueTask DisposeAsync()
    {
        _ended.Dispose();
        return _process.DisposeAsync();
    }

    private static (FromNode? Message, string? Error) Parse(ReadOnlySequence<byte> line)
    {
        if (line.IsEmpty) return default;
        try
        {
            var json = new Utf8JsonReader(line);
            return (JsonSerializer.Deserialize(ref json, RunnerJson.Default.FromNode), null);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or FormatException)
        {
            return (null, $"a message of its agent was not understood: {e.Message}");
        }
    }

    private async Task WriteAsync()
    {
        var stream = _process.Input;
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(buffer);
        try
        {
            while (await _outgoing.Reader.WaitToReadAsync())
            {
                buffer.ResetWrittenCount();
                while (buffer.WrittenCount < Plenty && _outgoing.Reader.TryRead(out var message))
                {
                    json.Reset(buffer);
                    JsonSerializer.Serialize(json, message, RunnerJson.Default.ToNode);
                    json.Flush();
                    buffer.Write("\n"u8);
                }
                await stream.WriteAsync(buffer.WrittenMemory);
                await stream.FlushAsync();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The reading side sees the end too, and says so.
        }
    }

    private async Task PingAsync()
    {
        using var timer = new PeriodicTimer(_pace.Ping);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                if (Environment.TickCount64 - Volatile.Read(ref _listeningSince) > _pace.Patience.TotalMilliseconds)
                {
                    GivenUp = $"its agent has said nothing for {_pace.Patience.TotalSeconds:0} s";
                    _process.Kill();
                    return;
                }
                Send(new ToNode.Ping(Volatile.Read(ref _heard), _renews()));
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task RelayErrorsAsync(Action<string> log)
    {
        try
        {
            using var errors = new StreamReader(_process.Errors);
            while (await errors.ReadLineAsync() is { } line)
                if (line.Length > 0) log(_lastError = line);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
        }
    }
}
