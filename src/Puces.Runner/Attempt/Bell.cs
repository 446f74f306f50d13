using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>Tells the agent, if one listens, that there is news of a rank. A lost ring is made up for by the agent's own slow look.</summary>
internal sealed class Bell(string fifo, string tag) : IDisposable
{
    private readonly byte[] _line = Encoding.ASCII.GetBytes(tag + "\n");
    private int _fd = -1;

    public void Ring()
    {
        if (_fd < 0) _fd = Libc.Open(fifo, Libc.WriteOnly | Libc.NonBlock | Libc.CloseOnExec);
        if (_fd < 0 || Libc.Write(_fd, _line) >= 0 || Libc.Errno == Libc.Again) return;
        _ = Libc.Close(_fd);
        _fd = -1;
    }

    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }
}
