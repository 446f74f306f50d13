namespace Puces.Core.Replay;

/// <summary>A trace or a list of nodes that cannot be read: the file, the line, what is wrong there and what would be right.</summary>
public sealed class TraceException(string file, int line, string mistake, Exception? cause = null) : FormatException($"{file}:{line}: {mistake}", cause)
{
    public string File { get; } = file;
    public int Line { get; } = line;
}
