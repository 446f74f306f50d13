using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Puces.Core.Contract;

namespace Puces.Server.Logs;

/// <summary>
/// Reads the files of one job in order. Its cursor, such as <c>a2r0:1234r1:88</c>, says how far each rank of one attempt was read; the
/// attempts before it are done. What comes late of an attempt, after lines of the next were shown, is seen only when read again.
/// </summary>
internal sealed class LogReading
{
    // A change of state that nobody told of must not hold a follower for ever.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private readonly string _folder;
    private readonly int? _only;
    private readonly SortedDictionary<int, RankFile> _ranks = [];
    private int _attempt;
    private DateTimeOffset _before = DateTimeOffset.UnixEpoch;

    public LogReading(string folder, int? only, string? after)
    {
        (_folder, _only) = (folder, only);
        _attempt = only ?? 0;
        if (!TryParse(after, out var attempt, out var positions) || only is { } wanted && wanted != attempt) return;
        _attempt = attempt;
        foreach (var (rank, position) in positions) _ranks[rank] = new(PathOf(attempt, rank), position);
    }

    public static bool IsCursor(string text) => TryParse(text, out _, out _);

    public async IAsyncEnumerable<LogLine> LinesAsync(LogBook.Listening? listening, Func<bool> isOver, [EnumeratorCancellation] CancellationToken ct)
    {
        using var _ = listening;
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var news = listening?.Next;
            var isLastLook = listening is null || isOver();
            var next = Look();
            while (Smallest(isLastLook || next is not null) is { } rank)
            {
                var (from, length) = _ranks[rank].Take();
                var line = Record.Parse(_ranks[rank].Buffer.AsSpan(from, length), _before, _attempt, rank, Cursor());
                _before = line.At;
                yield return line;
                ct.ThrowIfCancellationRequested();
            }
            if (next is { } attempt)
            {
                _attempt = attempt;
                _ranks.Clear();
            }
            else if (isLastLook) yield break;
            else await NewsAsync(news!, isOver, ct);
        }
    }

    private static async Task NewsAsync(Task news, Func<bool> isOver, CancellationToken ct)
    {
        while (!news.IsCompleted && !isOver())
        {
            try
            {
                await news.WaitAsync(Longest, ct);
            }
            catch (TimeoutException)
            {
            }
        }
    }

    /// <summary>Finds the ranks of the attempt that is read; answers the attempt after it, once there is one.</summary>
    private int? Look()
    {
        var files = new List<(int Attempt, int Rank)>();
        try
        {
            foreach (var path in Directory.EnumerateFiles(_folder, "*.log"))
                if (RankTag.ParseFile(Path.GetFileName(path.AsSpan())) is { } file && (_only ?? file.Attempt) == file.Attempt) files.Add(file);
        }
        catch (DirectoryNotFoundException)
        {
        }
        if (files.Count == 0) return null;
        if (_attempt == 0) _attempt = files.Min(f => f.Attempt);
        foreach (var (_, rank) in files.Where(f => f.Attempt == _attempt)) _ranks.TryAdd(rank, new(PathOf(_attempt, rank), 0));
        foreach (var rank in _ranks.Values) rank.IsDry = false;
        var later = files.Where(f => f.Attempt > _attempt).ToList();
        return later.Count > 0 ? later.Min(f => f.Attempt) : null;
    }

    /// <summary>The rank whose next line is the oldest; null where no whole line is left.</summary>
    private int? Smallest(bool takesRest)
    {
        var found = default(int?);
        var oldest = DateTimeOffset.MaxValue;
        foreach (var (number, rank) in _ranks)
        {
            if (!rank.HasLine(takesRest)) continue;
            if (_ranks.Count == 1) return number;
            var at = Record.TimeOf(rank.Line) ?? _before;
            if (found is not null && at >= oldest) continue;
            (found, oldest) = (number, at);
        }
        return found;
    }

    private string Cursor()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"a{_attempt}");
        foreach (var (number, rank) in _ranks) text.Append(CultureInfo.InvariantCulture, $"r{number}:{rank.Position}");
        return text.ToString();
    }

    private string PathOf(int attempt, int rank) => Path.Combine(_folder, new RankTag(default, attempt, rank).FileName);

    private static bool TryParse(string? cursor, out int attempt, out List<(int Rank, long Position)> ranks)
    {
        attempt = 0;
        ranks = [];
        if (cursor is not ['a', ..]) return false;
        var parts = cursor[1..].Split('r');
        if (!int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out attempt)) return false;
        foreach (var part in parts.AsSpan(1))
        {
            var colon = part.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || !int.TryParse(part.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture, out var rank)
                || !long.TryParse(part.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var position)) return false;
            ranks.Add((rank, position));
        }
        return true;
    }

    /// <summary>One rank's file, read a piece at a time; it is open only while a piece is read.</summary>
    private sealed class RankFile(string path, long position)
    {
        private const int Piece = 64 * 1024;

        private int _from, _lineLength = -1, _count, _skip;

        /// <summary>Where the next line begins in the file.</summary>
        public long Position { get; private set; } = position;

        /// <summary>Its end was met in this round: there is no use in looking again for each line of the others.</summary>
        public bool IsDry { get; set; }

        public byte[] Buffer { get; private set; } = [];

        public ReadOnlySpan<byte> Line => Buffer.AsSpan(_from, _lineLength);

        public bool HasLine(bool takesRest)
        {
            if (_lineLength >= 0) return true;
            if (FindLine()) return true;
            if (!IsDry) Fill();
            if (FindLine()) return true;
            // No record is as long as a piece; and what is left at the very end was cut off by a crash.
            if (_count == 0 || !takesRest && _count < Piece) return false;
            (_lineLength, _skip) = (_count, 0);
            return true;
        }

        /// <summary>Goes on to after the line; answers where it lies in the buffer.</summary>
        public (int From, int Length) Take()
        {
            var line = (_from, _lineLength);
            var step = _lineLength + _skip;
            _from += step;
            _count -= step;
            Position += step;
            _lineLength = -1;
            return line;
        }

        private bool FindLine()
        {
            _lineLength = Buffer.AsSpan(_from, _count).IndexOf((byte)'\n');
            _skip = 1;
            return _lineLength >= 0;
        }

        private void Fill()
        {
            if (Buffer.Length == 0) Buffer = new byte[Piece];
            Buffer.AsSpan(_from, _count).CopyTo(Buffer);
            _from = 0;
            if (_count == Piece) return;
            try
            {
                using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                var read = RandomAccess.Read(file, Buffer.AsSpan(_count), Position + _count);
                IsDry = read == 0;
                _count += read;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                IsDry = true;
            }
        }
    }
}
