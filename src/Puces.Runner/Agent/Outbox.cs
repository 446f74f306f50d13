using System.Buffers;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>What is to be said to the daemon. Saying never blocks: what the pipe does not take waits here.</summary>
internal sealed class Outbox : IDisposable
{
    private const int Plenty = 1 << 20;

    private readonly ArrayBufferWriter<byte> _waiting = new(16 * 1024);
    private readonly Utf8JsonWriter _json;
    private int _sent;

    public Outbox()
    {
        _json = new(_waiting);
        Libc.SetNonBlocking(1, true);
    }

    public bool IsEmpty => _waiting.WrittenCount == _sent;

    /// <summary>So much waits that logs had better stay on the disk for now.</summary>
    public bool IsFull => _waiting.WrittenCount - _sent > Plenty;

    public void Say(FromNode message)
    {
        _json.Reset(_waiting);
        JsonSerializer.Serialize(_json, message, RunnerJson.Default.FromNode);
        _json.Flush();
        _waiting.Write("\n"u8);
    }

    /// <summary>Hands over what the pipe takes; false where nobody reads it any more.</summary>
    public bool TryFlush()
    {
        while (!IsEmpty)
        {
            var written = Libc.Write(1, _waiting.WrittenSpan[_sent..]);
            if (written < 0) return Libc.Errno == Libc.Again;
            _sent += written;
        }
        _waiting.ResetWrittenCount();
        _sent = 0;
        return true;
    }

    public void Dispose()
    {
        Libc.SetNonBlocking(1, false);
        _json.Dispose();
    }
}
