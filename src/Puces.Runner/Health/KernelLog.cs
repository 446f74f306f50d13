using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Health;

/// <summary>
/// What the kernel has said since this was opened. Each record of <c>/dev/kmsg</c> is read whole, as <c>6,339,5140900,-;text</c>
/// (https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg). Where it may not be read, there is nothing.
/// </summary>
internal sealed class KernelLog : IDisposable
{
    /// <summary>Another file in its place, for trials: lines of text.</summary>
    public const string PathVariable = "PUCES_KERNEL_LOG";

    private const int MostLines = 10_000;

    private readonly int _fd;

    public KernelLog()
    {
        _fd = Libc.Open(Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } other ? other : "/dev/kmsg", Libc.ReadOnly | Libc.NonBlock | Libc.CloseOnExec);
        if (_fd >= 0) _ = Libc.SeekEnd(_fd);
    }

    /// <summary>The lines since the last time, without what stands before their text.</summary>
    public IReadOnlyList<string> Read()
    {
        var lines = new List<string>();
        Span<byte> buffer = stackalloc byte[8192];
        while (_fd >= 0 && lines.Count < MostLines)
        {
            var read = Libc.Read(_fd, buffer);
            // Records that were overwritten before they were read are told of once; then it goes on with the oldest that is there.
            if (read < 0 && Libc.Errno == Libc.BrokenPipe) continue;
            if (read <= 0) break;
            foreach (var line in Encoding.UTF8.GetString(buffer[..read]).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                if (line[0] != ' ') lines.Add(line.IndexOf(';', StringComparison.Ordinal) is > 0 and < 60 and var at ? line[(at + 1)..] : line);
        }
        return lines;
    }

    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
    }
}
