using System.IO.Compression;
using Puces.Core.Replay;

namespace Puces.Bench;

/// <summary>Public traces and a reference simulator that lie beside the checkout, in <c>../shared</c>: too large to be part of it.</summary>
internal static class SharedTraces
{
    public static string Path(string relative) => System.IO.Path.GetFullPath(System.IO.Path.Combine(Options.Checkout(), "..", "shared", relative));

    public static bool AreThere => Directory.Exists(Path("data/traces"));

    public static string FileOf(string name) => Path($"data/traces/{name}.csv.gz");

    public static IReadOnlyList<TraceJob> Read(string name)
    {
        using var text = new StreamReader(new GZipStream(File.OpenRead(FileOf(name)), CompressionMode.Decompress));
        return Trace.Read(text, name);
    }
}
