using System.Text;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Store;

/// <summary>
/// The changes of one commit, by table. Of several to one record the last is kept: each row is written once. Used again
/// for every commit, so that a commit leaves little behind.
/// </summary>
internal sealed class Writes
{
    private readonly Dictionary<JobId, (List<Change.JobSet> List, int Index)> _jobs = [];
    private readonly Dictionary<AttemptId, int> _attempts = [];
    private readonly Dictionary<string, int> _pools = [];
    private readonly Dictionary<string, int> _secrets = [];
    private readonly Dictionary<string, int> _notes = [];

    /// <summary>Jobs that come with their spec: they are not stored yet.</summary>
    public List<Change.JobSet> NewJobs { get; } = [];
    public List<Change.JobSet> ChangedJobs { get; } = [];
    public List<AttemptRecord> Attempts { get; } = [];
    public List<Change.PoolSet> Pools { get; } = [];
    public List<Change.SecretSet> Secrets { get; } = [];
    public List<Change.NoteSet> Notes { get; } = [];
    public long LastJob { get; private set; }
    public long LastEvent { get; private set; }

    public void Fill(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events)
    {
        Clear();
        foreach (var change in changes)
        {
            switch (change)
            {
                case Change.JobSet set: Add(set); break;
                case Change.AttemptSet set: Put(_attempts, Attempts, set.Attempt.Id, set.Attempt); break;
                case Change.PoolSet set: Put(_pools, Pools, set.Pool.Name, set); break;
                case Change.NoteSet set: Put(_notes, Notes, set.Key, set); break;
                case Change.SecretSet set: Put(_secrets, Secrets, set.Name, set); break;
                default: throw new InvalidOperationException($"the store has no table for {change.GetType().Name}");
            }
        }
        foreach (var e in events) LastEvent = Math.Max(LastEvent, e.Seq);
    }

    public void Clear()
    {
        _jobs.Clear();
        _attempts.Clear();
        _pools.Clear();
        _secrets.Clear();
        _notes.Clear();
        NewJobs.Clear();
        ChangedJobs.Clear();
        Attempts.Clear();
        Pools.Clear();
        Secrets.Clear();
        Notes.Clear();
        LastJob = LastEvent = 0;
    }

    private void Add(Change.JobSet set)
    {
        LastJob = Math.Max(LastJob, set.Job.Id.Value);
        if (_jobs.TryGetValue(set.Job.Id, out var at))
        {
            var first = at.List[at.Index];
            at.List[at.Index] = set with { Spec = set.Spec ?? first.Spec, Key = set.Key ?? first.Key };
            return;
        }
        var list = set.Spec is null ? ChangedJobs : NewJobs;
        _jobs.Add(set.Job.Id, (list, list.Count));
        list.Add(set);
    }

    private static void Put<TKey, T>(Dictionary<TKey, int> seen, List<T> list, TKey key, T value) where TKey : notnull
    {
        if (seen.TryAdd(key, list.Count)) list.Add(value);
        else list[seen[key]] = value;
    }
}

/// <summary>How values stand in columns.</summary>
internal static class Column
{
    /// <summary>Times are whole tenths of microseconds since 1970: exact, and the same in both engines.</summary>
    public static long Of(DateTimeOffset time) => time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
    public static DateTimeOffset Time(long value) => new(value + DateTimeOffset.UnixEpoch.Ticks, TimeSpan.Zero);

    /// <summary>Text that every database takes: half characters and the zero character are replaced.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') && !text.Contains('\0', StringComparison.Ordinal)) return text;
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace('\0', '\uFFFD');
    }

    public static byte[] Of(UInt128 key)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
        return bytes;
    }

    public static UInt128 Key(byte[] bytes) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);

    /// <summary>The array behind the memory where it is exactly that, else a copy.</summary>
    public static byte[] Of(ReadOnlyMemory<byte> memory) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(memory, out var segment) && segment.Offset == 0 && segment.Count == segment.Array!.Length
            ? segment.Array
            : memory.ToArray();

    public static bool IsLive(Job job) => job.State is not JobState.Ended;

    public static string Word(JobResult result) => new JobState.Ended(result, 0, default).Word;
}
