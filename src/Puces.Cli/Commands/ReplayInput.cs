using System.Globalization;
using System.IO.Compression;
using Puces.Core.Replay;

namespace Puces.Cli.Commands;

/// <summary>What is replayed: jobs, what they run on, and under other rules their work.</summary>
/// <param name="Name">What to call it.</param>
/// <param name="Work">Of each job, where Muri's rules hold.</param>
internal sealed record ReplayInput(string Name, IReadOnlyList<TraceJob> Jobs, IReadOnlyList<RepackJob>? Work, IReadOnlyList<NodeGroup> Nodes)
{
    /// <summary>Opens a trace or a list, packed with gzip or not, and reads it; a mistake in it is one of the command.</summary>
    public static T Read<T>(Session session, string path, Func<TextReader, string, T> read)
    {
        try
        {
            using var text = Open(session, path);
            return read(text, path);
        }
        catch (TraceException e)
        {
            throw CommandException.Usage(e.Message, "puces replay --help, or docs/replay.md for the forms that are read");
        }
        catch (InvalidDataException e)
        {
            throw CommandException.Usage($"{path} is not whole: {e.Message.TrimEnd('.')}", "fetch it again");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw CommandException.Usage($"there is no file {path}", "write the path of a trace, such as philly.csv.gz");
        }
    }

    /// <summary>Reads <c>10000</c> or <c>10000:42</c>: so many jobs, made up from a seed.</summary>
    public static IReadOnlyList<TraceJob> Generate(string text, IReadOnlyList<NodeGroup> nodes)
    {
        var parts = text.Split(':');
        var seed = 1UL;
        if (parts.Length > 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var jobs) || jobs is < 1 or > 10_000_000
            || (parts.Length == 2 && !ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out seed)))
            throw CommandException.Usage($"--generate {text}: write how many jobs, and a seed if you like", "--generate 10000:42");
        return TraceGenerator.Generate(jobs, seed, nodes.Sum(n => n.Nodes * n.Devices));
    }

    /// <summary>The pool as the options say it.</summary>
    /// <param name="recorded">What it begins with where neither <paramref name="groups"/> nor a file says it.</param>
    public static IReadOnlyList<NodeGroup> Pool(Session session, IReadOnlyList<string> groups, string? file, IReadOnlyList<string> added, IReadOnlyList<string> removed, IReadOnlyList<NodeGroup> recorded)
    {
        IReadOnlyList<NodeGroup> pool = Join([], [.. groups.Select(g => Group("--nodes", g)), .. file is null ? [] : Read(session, file, NodeGroup.Read)], recorded);
        if (pool.Count == 0) pool = recorded;
        if (pool.Count == 0) throw CommandException.Usage("a replay needs nodes to run on", "--nodes 16x8 for 16 nodes with 8 devices each, --nodes 4x8:H100, or --pools FILE");
        pool = Join(pool, [.. added.Select(g => Group("--add", g))], recorded);
        foreach (var text in removed)
            pool = NodeGroup.Without(pool, Group("--remove", text)) ?? throw CommandException.Usage($"--remove {text}: the pool has not so many of these; it has {string.Join(' ', pool)}", "remove fewer");
        return pool.Count > 0 ? pool : throw CommandException.Usage("--remove leaves no node", "remove fewer");
    }

    /// <summary>More groups; where the jobs are those of a daemon, they stand in its pool.</summary>
    private static List<NodeGroup> Join(IReadOnlyList<NodeGroup> pool, IReadOnlyList<NodeGroup> more, IReadOnlyList<NodeGroup> recorded)
    {
        var joined = pool.ToList();
        foreach (var group in more) joined.Add(HistoryTrace.Like(recorded, group, joined.Sum(g => g.Nodes)));
        return joined;
    }

    private static NodeGroup Group(string option, string text) => NodeGroup.TryParse(text, out var group)
        ? group : throw CommandException.Usage($"{option} {text}: write nodes x devices, and a model if it matters", $"{option} 16x8, or {option} 16x8:H100");

    private static StreamReader Open(Session session, string path)
    {
        Stream stream = path == "-" ? Console.OpenStandardInput() : new FileStream(session.FullPath(path), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        stream = path == "-" ? new BufferedStream(stream, 1 << 16) : stream;
        // What gzip writes says so in its first two bytes, whatever the file's name says.
        if (stream.CanSeek)
        {
            var isPacked = stream.ReadByte() == 0x1f && stream.ReadByte() == 0x8b;
            stream.Position = 0;
            if (isPacked) stream = new GZipStream(stream, CompressionMode.Decompress);
        }
        return new(stream, bufferSize: 1 << 16);
    }
}
