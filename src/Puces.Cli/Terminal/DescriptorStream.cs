using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Puces.Cli.Terminal;

/// <summary>
/// Standard output or error. Unlike the console's own stream it reports a reader that has gone away,
/// so that <c>puces feed -f | head</c> ends; unlike a file stream it keeps to the place that both share when they go to one file.
/// </summary>
internal sealed partial class DescriptorStream : Stream
{
    private const int EINTR = 4;
    private const int EAGAIN = 11;
    private const int EPIPE = 32;
    private readonly int _descriptor;

    private DescriptorStream(int descriptor) => _descriptor = descriptor;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public static Stream Output() => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new DescriptorStream(1);
    public static Stream Error() => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new DescriptorStream(2);

    /// <summary>Columns of the terminal; zero where none is known. The console's own property would change the terminal's mode.</summary>
    public static int Columns(int descriptor)
    {
        // TIOCGWINSZ, which each system numbers in its own way.
        nuint request = OperatingSystem.IsLinux() ? 0x5413 : 0x40087468u;
        return !OperatingSystem.IsWindows() && Control(descriptor, request, out var size) == 0 ? size.Columns : 0;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var written = WriteSome(_descriptor, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }
            switch (Marshal.GetLastPInvokeError())
            {
                case EINTR: break;
                case EAGAIN: Thread.Sleep(1); break;
                case EPIPE: throw new ReaderGoneException();
                case var error: throw new IOException($"cannot write the output: {new Win32Exception(error).Message}");
            }
        }
    }

    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    private struct WindowSize
    {
        public ushort Rows, Columns, Width, Height;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int descriptor, nuint request, out WindowSize size);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteSome(int descriptor, ReadOnlySpan<byte> buffer, nint count);
}

/// <summary>Whoever read the output has closed it: nothing more to do, and no error.</summary>
internal sealed class ReaderGoneException : IOException;
