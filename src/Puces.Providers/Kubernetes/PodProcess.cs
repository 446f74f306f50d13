using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Puces.Providers.Kubernetes;

/// <summary>
/// A program in a pod, by the WebSocket of the API server's exec (<c>v4.channel.k8s.io</c>: each message begins with the number of its channel). That has no
/// way to close the program's standard input alone.
/// </summary>
internal sealed class PodProcess : INodeProcess
{
    private const byte StandardInput = 0, StandardOutput = 1, StandardError = 2, Status = 3;
    private const int ConnectionBroke = 255, MostUnread = 1 << 20;

    private readonly WebSocket _socket;
    private readonly Pipe _output = new(new PipeOptions(pauseWriterThreshold: MostUnread, resumeWriterThreshold: MostUnread / 2));
    // Nobody has to read the errors for the output to go on.
    private readonly Pipe _errors = new(new PipeOptions(pauseWriterThreshold: 0));
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PodInput _input;

    public PodProcess(WebSocket socket)
    {
        _socket = socket;
        _input = new(socket, StandardInput);
        (Output, Errors) = (_output.Reader.AsStream(), _errors.Reader.AsStream());
        _ = ReadAsync();
    }

    public Stream Input => _input;
    public Stream Output { get; }
    public Stream Errors { get; }
    public int? ProcessId => null;

    /// <summary>From now on the input is framed, which lets its end be said; the program in the pod must expect that.</summary>
    public void Frame() => _input.IsFramed = true;

    public Task<int> WaitAsync(CancellationToken ct) => _ended.Task.WaitAsync(ct);

    /// <summary>Lets go of it: its input ends, which an agent takes for its own end.</summary>
    public void Kill() => _socket.Abort();

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        // What nobody has read keeps nobody waiting.
        await Output.DisposeAsync();
        await Errors.DisposeAsync();
        await _ended.Task;
        _socket.Dispose();
        await _input.DisposeAsync();
    }

    private async Task ReadAsync()
    {
        var code = ConnectionBroke;
        using var status = new MemoryStream();
        var buffer = new byte[64 * 1024];
        try
        {
            for (byte? channel = null; ;)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (part.MessageType is WebSocketMessageType.Close) break;
                var bytes = buffer.AsMemory(0, part.Count);
                if (channel is null && bytes.Length > 0)
                {
                    channel = bytes.Span[0];
                    bytes = bytes[1..];
                }
                if (bytes.Length > 0)
                {
                    if (channel is StandardOutput) await _output.Writer.WriteAsync(bytes);
                    else if (channel is StandardError) await _errors.Writer.WriteAsync(bytes);
                    else if (channel is Status) status.Write(bytes.Span);
                }
                if (part.EndOfMessage) channel = null;
            }
        }
        catch (Exception e) when (e is WebSocketException or IOException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // It has broken, or we have let go of it.
        }
        if (status.Length > 0)
        {
            (code, var said) = CodeIn(status.ToArray());
            if (said is not null) await _errors.Writer.WriteAsync(Encoding.UTF8.GetBytes(said + "\n"));
        }
        else await _errors.Writer.WriteAsync("the connection to its pod broke\n"u8.ToArray());
        await _output.Writer.CompleteAsync();
        await _errors.Writer.CompleteAsync();
        _ended.TrySetResult(code);
    }

    /// <summary>The exit code in a <c>Status</c>; and why the program did not even start, where it did not.</summary>
    internal static (int Code, string? Said) CodeIn(byte[] status)
    {
        try
        {
            using var json = JsonDocument.Parse(status);
            var root = json.RootElement;
            if (root.GetProperty("status").GetString() == "Success") return (0, null);
            if (root.TryGetProperty("reason", out var reason) && reason.GetString() == "NonZeroExitCode")
                foreach (var cause in root.GetProperty("details").GetProperty("causes").EnumerateArray())
                    if (cause.GetProperty("reason").GetString() == "ExitCode" && int.TryParse(cause.GetProperty("message").GetString(), out var code)) return (code, null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
        }
        return (ConnectionBroke, KubernetesTrouble.MessageIn(Encoding.UTF8.GetString(status)));
    }

    /// <summary>What is written to a program, one message after another.</summary>
    private sealed class PodInput(WebSocket socket, byte channel) : Stream
    {
        // The API server takes messages of any length in parts; these keep its memory small.
        private const int Longest = 32 * 1024, Head = 4;

        private readonly SemaphoreSlim _turn = new(1);
        private bool _isClosed;

        public bool IsFramed { get; set; }

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (; buffer.Length > 0; buffer = buffer[Math.Min(buffer.Length, Longest)..])
                await SendAsync(buffer[..Math.Min(buffer.Length, Longest)], cancellationToken);
        }

        private async Task SendAsync(ReadOnlyMemory<byte> part, CancellationToken ct)
        {
            var begin = 1 + (IsFramed ? Head : 0);
            var message = new byte[begin + part.Length];
            message[0] = channel;
            if (IsFramed) BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), part.Length);
            part.CopyTo(message.AsMemory(begin));
            await _turn.WaitAsync(ct);
            try
            {
                // A message that is broken off would break the connection too.
                await socket.SendAsync(message.AsMemory(), WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
            }
            catch (Exception e) when (e is WebSocketException or InvalidOperationException or ObjectDisposedException)
            {
                throw new IOException($"the connection to its pod broke: {e.Message}", e);
            }
            finally
            {
                _turn.Release();
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_isClosed)
            {
                _isClosed = true;
                if (IsFramed) _ = EndAsync();
                else socket.Abort();
            }
            base.Dispose(disposing);
        }

        /// <summary>A frame of no bytes. Nobody waits for it: where it cannot be sent, the end is there already.</summary>
        private async Task EndAsync()
        {
            try { await SendAsync(default, CancellationToken.None); }
            catch (IOException) { }
        }
    }
}
