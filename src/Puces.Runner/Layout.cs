using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Runner;

/// <summary>The runner's folder on a node. README.md beside this file says what lies where.</summary>
internal sealed class Layout(string root, string blobs)
{
    public string Root => root;
    public string Blobs => blobs;
    public string Ranks => Path.Combine(root, "ranks");
    public string Bell => Path.Combine(root, "bell");
    public string Heard => Path.Combine(root, "heard");
    public string AgentLock => Path.Combine(root, "agent.lock");
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
    public string Dropped => path + "/dropped";

    public RankReport? ReadState()
    {
        try
        {
            return System.Text.Json.JsonSerializer.Deserialize(File.ReadAllBytes(State), RunnerJson.Default.RankReport);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            return null;
        }
    }

    public bool TryWriteState(RankReport report) =>
        Files.TryReplace(State, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(report, RunnerJson.Default.RankReport));

    public static bool IsFinal(RankPhase phase) => phase is RankPhase.Ended or RankPhase.Vanished or RankPhase.Refused;
}
