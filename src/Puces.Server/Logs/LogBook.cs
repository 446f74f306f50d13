using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Logs;

/// <summary>
/// The daemon's own copies of logs, one file a rank, as the runner writes them. Nothing is synced: the length of a file is what we have of
/// it, and the node is asked for the rest. Where the node itself had lost lines, a file <c>.len</c> beside says by how much the log is
/// longer than our copy. A file that may no longer be written to is whole.
/// </summary>
internal sealed class LogBook(string dataFolder)
{
    private const UnixFileMode Whole = UnixFileMode.UserRead, Folders = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int EmptyKept = 4096;

    private readonly string _logs = Path.Combine(dataFolder, "logs");
    private readonly ConcurrentDictionary<string, Entry> _open = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _endedEmpty = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _endedEmptyOrder = new();
    private readonly ConcurrentDictionary<JobId, Bell> _bells = new();
    private volatile bool _isFailing;

    /// <summary>A log could not be written, and why. Said once, until it works again.</summary>
    public event Action<string>? Problem;

    /// <summary>Keeps what is new of a chunk. False where bytes before it are missing, or the disk does not take it: ask again from <paramref name="expected"/>.</summary>
    public bool Append(FromNode.Log log, out long expected)
    {
        expected = 0;
        if (RankTag.Parse(log.Tag) is not { } tag)
        {
            Problem?.Invoke($"a node sent a log of '{log.Tag}', which is no rank: it is not kept");
            return true;
        }
        while (true)
        {
            var entry = _open.GetOrAdd(log.Tag, static (_, at) => Load(at), (Path: PathOf(tag), IsWhole: _endedEmpty.ContainsKey(log.Tag)));
            lock (entry)
            {
                if (entry.IsLeft) continue;
                var isKept = Append(entry, log, tag);
                expected = entry.Length;
                if (entry.IsWhole) Leave(log.Tag, entry);
                return isKept;
            }
        }
    }

    /// <summary>Bytes of the rank's log that are here, those that the node had dropped included: where to go on.</summary>
    public long Length(string tag) => Find(tag)?.Length ?? 0;

    /// <summary>All of the rank's log is here. One that is empty is forgotten at a restart, and heard of again.</summary>
    public bool IsComplete(string tag) => Find(tag)?.IsWhole ?? false;

    /// <summary>Lets those who follow the job look again: its state has changed.</summary>
    public void Wake(JobId job)
    {
        if (_bells.TryGetValue(job, out var bell)) bell.Ring();
    }

    /// <summary>The lines of a job: attempt by attempt, the ranks of one by time as far as they are here.</summary>
    /// <param name="attempt">Only this one.</param>
    /// <param name="after">The cursor of the last line that was seen.</param>
    /// <param name="isOver">Nothing more will come; asked after each <see cref="Wake"/>.</param>
    public IAsyncEnumerable<LogLine> ReadAsync(JobId job, int? attempt, string? after, bool follow, Func<bool> isOver, CancellationToken ct) =>
        new LogReading(FolderOf(job), attempt, after).LinesAsync(follow ? new Listening(this, job) : null, isOver, ct);

    /// <summary>Forgets a job's logs. Already gone is not an error.</summary>
    public Task DeleteAsync(JobId job) => Task.Run(() =>
    {
        foreach (var (tag, entry) in _open)
        {
            if (RankTag.Parse(tag) is not { } parsed || parsed.Job != job) continue;
            lock (entry) Leave(tag, entry);
        }
        try
        {
            Directory.Delete(FolderOf(job), recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
        }
        Wake(job);
    });

    private string FolderOf(JobId job) => Path.Combine(_logs, job.ToString());

    private string PathOf(RankTag tag) => Path.Combine(FolderOf(tag.Job), tag.FileName);

    private Entry? Find(string tag) =>
        _open.TryGetValue(tag, out var open) ? open
        : RankTag.Parse(tag) is { } parsed ? Load((PathOf(parsed), _endedEmpty.ContainsKey(tag)))
        : null;

    private static Entry Load((string Path, bool IsWhole) at)
    {
        var file = new FileInfo(at.Path);
        var entry = new Entry(at.Path) { IsWhole = at.IsWhole };
        if (!file.Exists) return entry;
        entry.Size = file.Length;
        entry.IsWhole = (file.UnixFileMode & UnixFileMode.UserWrite) == 0;
        if (File.Exists(entry.Sidecar))
            entry.Skew = long.Parse(File.ReadAllText(entry.Sidecar), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return entry;
    }

    private bool Append(Entry entry, FromNode.Log log, RankTag tag)
    {
        var length = entry.Length;
        if (log.Offset > length && (log.DroppedLines <= 0 || entry.IsWhole)) return false;
        var data = log.Data.AsSpan(log.Offset < length ? (int)Math.Min(length - log.Offset, log.Data.Length) : 0);
        var isNew = data.Length > 0 || log.Offset > length;
        if (!isNew && !(log.IsLast && !entry.IsWhole)) return true;
        if (entry.IsWhole) return true;
        try
        {
            if (isNew || entry.Size > 0)
            {
                using var file = Open(entry);
                if (log.Offset > length) NoteGap(entry, file, log, length);
                RandomAccess.Write(file, data, entry.Size);
                entry.Size += data.Length;
                if (log.IsLast) File.SetUnixFileMode(file, Whole);
            }
            else
            {
                RememberEmpty(log.Tag);
            }
            entry.IsWhole |= log.IsLast;
            _isFailing = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Part of it may have been written: that part is the log's, and what is missing is asked for again.
            try
            {
                entry.Size = new FileInfo(entry.Path) is { Exists: true } left ? left.Length : 0;
            }
            catch (IOException)
            {
                // What was known before stays.
            }
            if (!_isFailing) Problem?.Invoke($"the log of {log.Tag} cannot be written to {_logs}: {e.Message}");
            _isFailing = true;
            return false;
        }
        finally
        {
            Wake(tag.Job);
        }
        return true;
    }

    private static SafeFileHandle Open(Entry entry)
    {
        // Opened for each chunk: that costs less than a chunk's JSON, and leaves no handles to keep count of.
        try
        {
            return OpenOrCreate(entry.Path);
        }
        catch (DirectoryNotFoundException)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(entry.Path)!, Folders);
            return OpenOrCreate(entry.Path);
        }

        static SafeFileHandle OpenOrCreate(string path) =>
            File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }

    /// <summary>Says in the log itself that lines are missing.</summary>
    private static void NoteGap(Entry entry, SafeFileHandle file, FromNode.Log log, long length)
    {
        var gap = log.Offset - length;
        var at = Record.TimeOf(log.Data) ?? DateTimeOffset.UtcNow;
        var last = new byte[1];
        var isCut = entry.Size > 0 && RandomAccess.Read(file, last, entry.Size - 1) == 1 && last[0] != '\n';
        var note = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{(isCut ? "\n" : "")}{at.UtcDateTime:yyyy-MM-ddTHH:mm:ss.ffffff}Z p … {log.DroppedLines} lines ({gap} bytes) were dropped on the node …\n"));
        var skew = entry.Skew + gap - note.Length;
        // First how far we are, then the words: a crash in between asks for bytes that the node has dropped, and is told so again.
        var temporary = entry.Sidecar + ".new";
        File.WriteAllText(temporary, skew.ToString(CultureInfo.InvariantCulture));
        File.Move(temporary, entry.Sidecar, overwrite: true);
        entry.Skew = skew;
        RandomAccess.Write(file, note, entry.Size);
        entry.Size += note.Length;
    }

    private void RememberEmpty(string tag)
    {
        if (!_endedEmpty.TryAdd(tag, true)) return;
        _endedEmptyOrder.Enqueue(tag);
        if (_endedEmpty.Count > EmptyKept && _endedEmptyOrder.TryDequeue(out var oldest)) _endedEmpty.TryRemove(oldest, out _);
    }

    private void Leave(string tag, Entry entry)
    {
        entry.IsLeft = true;
        _open.TryRemove(new(tag, entry));
    }

    /// <summary>What is known of a rank's log that still grows.</summary>
    private sealed class Entry(string path)
    {
        public string Path => path;
        public string Sidecar => path + ".len";
        public long Size { get; set; }
        public long Skew { get; set; }
        public long Length => Size + Skew;
        public bool IsWhole { get; set; }
        public bool IsLeft { get; set; }
    }

    /// <summary>Wakes the followers of one job.</summary>
    private sealed class Bell
    {
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Listeners { get; set; }
        public Task Next => Volatile.Read(ref _next).Task;
        public void Ring() => Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>One follower; the bell is there while it has any.</summary>
    internal sealed class Listening : IDisposable
    {
        private readonly LogBook _book;
        private readonly JobId _job;
        private Bell? _bell;

        public Listening(LogBook book, JobId job) => (_book, _job) = (book, job);

        /// <summary>Ends when there is news since this was asked for.</summary>
        public Task Next
        {
            get
            {
                if (_bell is null)
                {
                    lock (_book._bells)
                    {
                        _bell = _book._bells.GetOrAdd(_job, static _ => new());
                        _bell.Listeners++;
                    }
                }
                return _bell.Next;
            }
        }

        public void Dispose()
        {
            if (_bell is null) return;
            lock (_book._bells)
                if (--_bell.Listeners == 0) _book._bells.TryRemove(new(_job, _bell));
            _bell = null;
        }
    }
}
