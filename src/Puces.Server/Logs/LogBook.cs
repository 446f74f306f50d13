using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Logs;

/// <summary>
/// The daemon's copies of all logs: <c>folder/(job / 1000)/job-attempt.rank.log</c>, in the runner's own format. Logs flow beside the
/// engine: nothing here is synced, and after a crash a copy goes on from its own length.
/// </summary>
public sealed class LogBook(string folder)
{
    private readonly ConcurrentDictionary<string, Copy> _copies = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<JobId, TaskCompletionSource> _readers = new();
    private volatile bool _isFailing;

    /// <summary>A log cannot be written, and why. Said once, until one can be written again.</summary>
    public event Action<string>? Problem;

    /// <summary>
    /// Adds a chunk of a rank's log where it follows on what is here; what is here already is passed over. False where it does not
    /// follow or cannot be written: ask the node again from <paramref name="expected"/>.
    /// </summary>
    public bool Append(FromNode.Log chunk, out long expected)
    {
        expected = 0;
        if (!RankTag.TryParse(chunk.Tag, out var attempt, out _)) return true;
        var copy = Find(chunk.Tag);
        lock (copy)
        {
            try
            {
                if (!copy.Add(chunk)) return Expect(copy, out expected);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!_isFailing) Problem?.Invoke($"the log of {chunk.Tag} cannot be written: {e.Message}");
                _isFailing = true;
                return Expect(copy, out expected);
            }
            _isFailing = false;
            expected = copy.Length;
            if (chunk.IsLast) copy.Close();
        }
        if (_readers.TryRemove(attempt.Job, out var waiting)) waiting.TrySetResult();
        return true;
    }

    private static bool Expect(Copy copy, out long expected)
    {
        expected = copy.Length;
        return false;
    }

    /// <summary>Bytes of a rank's log that are here, counted as the node counts.</summary>
    public long Length(string tag)
    {
        var copy = Find(tag);
        lock (copy) return copy.Length;
    }

    /// <summary>The whole log of an ended rank is here.</summary>
    public bool IsComplete(string tag) => _copies.TryGetValue(tag, out var copy) && copy.IsComplete;

    /// <summary>The node has forgotten the rank: nobody will ask for its length again.</summary>
    public void Forget(string tag)
    {
        if (_copies.TryRemove(tag, out var copy)) lock (copy) copy.Close();
    }

    /// <summary>Another daemon may write from now on: what is known of the copies is read from them again.</summary>
    public void LetGo()
    {
        foreach (var tag in _copies.Keys) Forget(tag);
    }

    /// <summary>No log of the job is still on its way.</summary>
    public bool IsSettled(JobId job) => !_copies.Values.Any(c => c.Job == job && !c.IsComplete);

    /// <summary>Lines in the order of attempts; within one, the ranks' lines by their times as far as they are here.</summary>
    /// <param name="after">The cursor of the last line seen; throws <see cref="FormatException"/> for what is none.</param>
    /// <param name="isOver">True once no more lines will come.</param>
    /// <param name="changed">Completes when <paramref name="isOver"/> may have changed.</param>
    public async IAsyncEnumerable<LogLine> ReadAsync(
        JobId job, int? attempt, string? after, bool follow, Func<bool> isOver, Func<Task> changed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var place = LogCursor.Parse(after) ?? new(attempt ?? 1, []);
        while (true)
        {
            // Taken before reading: what comes in between wakes the wait at once.
            var more = follow ? _readers.GetOrAdd(job, _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task : Task.CompletedTask;
            var change = changed();
            var over = isOver();
            var files = LogFile.Of(FolderOf(job), job).Where(f => attempt is null || f.Attempt == attempt).ToList();
            while (true)
            {
                foreach (var line in LogMerge.Lines(files, place)) yield return line;
                if (files.Where(f => f.Attempt > place.Attempt).Select(f => (int?)f.Attempt).Min() is not { } next) break;
                place = new(next, []);
            }
            if (!follow || over) yield break;
            await Task.WhenAny(more, change).WaitAsync(ct);
        }
    }

    /// <summary>Deletes the logs of a job that has ended. Already gone is not an error.</summary>
    public Task DeleteAsync(JobId job) => Task.Run(() =>
    {
        foreach (var file in LogFile.Of(FolderOf(job), job))
        {
            Forget(Path.GetFileNameWithoutExtension(file.Path));
            File.Delete(file.Path);
            File.Delete(file.Path + ".gaps");
        }
        if (_readers.TryRemove(job, out var waiting)) waiting.TrySetResult();
    });

    private string FolderOf(JobId job) => Path.Combine(folder, (job.Value / 1000).ToString(CultureInfo.InvariantCulture));

    private Copy Find(string tag) => _copies.GetOrAdd(tag, t =>
    {
        var job = RankTag.TryParse(t, out var attempt, out _) ? attempt.Job : throw new FormatException($"{t} is no rank's tag");
        return new Copy(job, Path.Combine(FolderOf(job), t + ".log"));
    });

    /// <summary>One rank's copy. Where the node dropped bytes, the file <c>.gaps</c> beside says from which position on how many are missing.</summary>
    private sealed class Copy
    {
        private readonly string _path;
        private SafeFileHandle? _file;
        private long _position;
        private long _missing;

        public Copy(JobId job, string path)
        {
            (Job, _path) = (job, path);
            var info = new FileInfo(path);
            if (!info.Exists) return;
            _position = info.Length;
            if (!File.Exists(path + ".gaps")) return;
            foreach (var line in File.ReadLines(path + ".gaps"))
                if (line.Split(' ') is [var from, var missing] && long.Parse(from, CultureInfo.InvariantCulture) <= _position)
                    _missing = long.Parse(missing, CultureInfo.InvariantCulture);
        }

        public JobId Job { get; }
        public bool IsComplete { get; private set; }
        public long Length => _position + _missing;

        public bool Add(FromNode.Log chunk)
        {
            var data = chunk.Data.AsSpan();
            if (chunk.Offset > Length)
            {
                if (chunk.DroppedLines == 0) return false;
                Gap(chunk);
            }
            var known = Length - chunk.Offset;
            if (known < data.Length)
            {
                Write(data[(int)known..]);
            }
            IsComplete |= chunk.IsLast;
            return true;
        }

        private void Gap(FromNode.Log chunk)
        {
            // The time of what follows, so that a reader who sorts by time finds the word where the lines are missing.
            var at = LogFile.TimeOf(chunk.Data) ?? LogFile.LastTime(_path);
            var marker = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{(EndsTorn() ? "\n" : "")}{at.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'} p … {chunk.DroppedLines} lines ({chunk.Offset - Length} bytes) were dropped on the node: its log limit was reached …\n"));
            // Noted before the marker is written: a position that the file does not reach does not count.
            var missing = chunk.Offset - _position - marker.Length;
            File.AppendAllText(_path + ".gaps", string.Create(CultureInfo.InvariantCulture, $"{_position + marker.Length} {missing}\n"));
            Write(marker);
            _missing = missing;
        }

        /// <summary>A crash has cut the last record: the rest of it is among what was dropped.</summary>
        private bool EndsTorn()
        {
            if (_position == 0) return false;
            using var file = File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var last = new byte[1];
            return RandomAccess.Read(file, last, _position - 1) == 1 && last[0] != '\n';
        }

        private void Write(ReadOnlySpan<byte> data)
        {
            if (_file is null)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
                _file = File.OpenHandle(_path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
            }
            RandomAccess.Write(_file, data, _position);
            _position += data.Length;
        }

        public void Close()
        {
            IsComplete = true;
            _file?.Dispose();
            _file = null;
        }
    }
}
