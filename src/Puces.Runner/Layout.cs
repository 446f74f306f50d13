using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Runner.Posix;

namespace Puces.Runner;

/// <summary>The runner's folder on a node. README.md beside this file says what lies where.</summary>
internal sealed class Layout(string root, string blobs)
{
    public string Root => root;
    public string Blobs => blobs;
    public string Ranks => Path.Combine(root, "ranks");
    public string Bell => Path.Combine(root, "bell");
    public string Spare => Path.Combine(root, "spare");
    public string Heard => Path.Combine(root, "heard");

    /// <summary>Locked, shared, by whoever sends a checkpoint.</summary>
    public string Sending => Path.Combine(root, "sending");
    public string AgentLock => Path.Combine(root, "agent.lock");

    /// <summary>Says why nothing starts here any more, where that is so: the machine was given back.</summary>
    public string Over => Path.Combine(root, "over");
    /// <summary>Images, for engines that keep each as a file.</summary>
    public string Images => Path.Combine(root, "images");
    public string Errors => Path.Combine(root, "runner.log");

    public RankFolder Rank(string tag) => new(Path.Combine(Ranks, tag));
    public string Job(JobId job) => Path.Combine(root, "jobs", job.ToString());
    public string Blob(string hash) => Path.Combine(blobs, hash[..2], hash);

    /// <summary>Such as <c>42-1.0</c>: nothing else may name a folder.</summary>
    public static bool IsTag(string tag) => TryRead(tag, out _, out _);

    public static bool TryRead(string tag, out AttemptId attempt, out int rank)
    {
        rank = 0;
        attempt = default;
        var dot = tag.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && AttemptId.TryParse(tag[..dot], out attempt)
            && int.TryParse(tag.AsSpan(dot + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out rank);
    }
}

/// <summary>The files of one rank.</summary>
internal sealed class RankFolder(string path)
{
    /// <summary>The variable by which the processes of a rank are known. Its tag alone would not do: a machine may serve several daemons.</summary>
    public const string Mark = "PUCES_RANK_FOLDER";

    public string Path => path;
    public string Tag => System.IO.Path.GetFileName(path);

    /// <summary>The tag, with a hash of the folder: a name for what lies outside of it, such as a control group.</summary>
    public string Name
    {
        get
        {
            var hash = 2166136261u;
            foreach (var letter in path) hash = unchecked((hash ^ letter) * 16777619u);
            return $"{Tag}-{hash:x8}";
        }
    }

    public string Order => path + "/order.json";
    public string State => path + "/state.json";
    public string Watcher => path + "/watcher";
    public string Control => path + "/control";
    public string StopAsked => path + "/stop";
    public string Cgroups => path + "/cgroups";
    /// <summary>Which engine runs its container, and what that is called; there from before it is made until after it is gone.</summary>
    public string Container => path + "/container";
    /// <summary>What its container sees of this folder.</summary>
    public string Scratch => path + "/inside";
    public string Dropped => path + "/dropped";

    /// <summary>Whether an order lies here that has not been carried out to its end.</summary>
    public bool HasOrder => new FileInfo(Order) is { Exists: true, Length: > 0 };

    /// <summary>Whether anything of the rank was written down: before that, none of the user's code has run.</summary>
    public bool HasState => new FileInfo(State) is { Exists: true, Length: > 0 };

    /// <summary>Where the rank stands: the last line of its state that was wholly written.</summary>
    public RankReport? ReadState()
    {
        var buffer = new byte[16 * 1024];
        return ReadState(buffer, out _);
    }

    public RankReport? ReadState(Span<byte> buffer, out int length)
    {
        length = 0;
        var fd = Libc.Open(State, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return null;
        var end = Libc.SeekEnd(fd);
        var read = Libc.ReadAt(fd, buffer, Math.Max(0, end - buffer.Length));
        _ = Libc.Close(fd);
        if (read <= 0) return null;
        var whole = buffer[..read];
        whole = whole[..(whole.LastIndexOf((byte)'\n') + 1)];
        if (whole.Length == 0) return null;
        length = (int)Math.Max(0, end - buffer.Length) + whole.Length;
        var line = whole[..^1];
        try
        {
            return JsonSerializer.Deserialize(line[(line.LastIndexOf((byte)'\n') + 1)..], RunnerJson.Default.RankReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Adds a line to the state. That needs no room on the disk but in the block that the file already has.</summary>
    public bool TryWriteState(RankReport report)
    {
        var fd = Libc.Open(State, Libc.WriteOnly | Libc.Create | Libc.Append | Libc.CloseOnExec);
        if (fd < 0) return false;
        var before = Libc.SeekEnd(fd);
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(report, RunnerJson.Default.RankReport), (byte)'\n'];
        var whole = Files.WriteAll(fd, line);
        if (!whole) _ = Libc.SetLength(fd, before);
        _ = Libc.Close(fd);
        return whole;
    }

    /// <summary>The order is of no more use, and may hold secrets.</summary>
    public void ForgetOrder() => _ = Files.TryWrite(Order, []);

    public static bool IsFinal(RankPhase phase) => phase is RankPhase.Ended or RankPhase.Vanished or RankPhase.Refused;
}
