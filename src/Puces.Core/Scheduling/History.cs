using System.Globalization;

namespace Puces.Core.Scheduling;

/// <summary>
/// What ran before, as far as it tells how long others will run. Jobs are of ever narrower kinds: all of them; those of a project with as
/// many devices; those of one owner and name among these; and those that came together, which on every public trace run almost equally
/// long. A narrow kind that has seen little goes by the wider one. It counts, and forgets order: small enough to be stored. The time of jobs
/// that would take several models is that on an H100: how long they worked, times how fast what they held is beside it.
/// </summary>
public sealed class History
{
    /// <summary>Jobs of one kind that came no further apart than this came together.</summary>
    public static readonly TimeSpan Together = TimeSpan.FromMinutes(10);

    /// <summary>Names that are told apart; what comes beyond goes by its project and devices.</summary>
    public const int MostKinds = 10_000;

    private readonly RunTimes _all = new(null, 1);
    private readonly Dictionary<(string Project, int Devices), RunTimes> _sizes = [];
    private readonly Dictionary<Kind, RunTimes> _kinds = [];
    private readonly Dictionary<Kind, Batch> _latest = [];
    private readonly Dictionary<long, Batch> _batches = [];
    private readonly HashSet<Kind> _changedKinds = [];
    private readonly HashSet<long> _changedBatches = [];
    private TimeSpan? _tick;
    // What was noted last is stored; it tells more than what is.
    private bool _isNoted = true, _isNoteNew;

    /// <summary>Jobs that are alike in what their owners say of them.</summary>
    internal readonly record struct Kind(string Project, string Owner, string Name, int Devices)
    {
        public string Key => string.Create(CultureInfo.InvariantCulture, $"{Devices}\n{Project}\n{Owner}\n{Name}");
        public bool IsBlank => Owner.Length + Name.Length == 0;
    }

    /// <summary>Jobs of one kind that came together.</summary>
    internal sealed class Batch(long number, Kind kind, RunTimes times, TimeSpan last)
    {
        /// <summary>The number of the first of them.</summary>
        public long Number { get; } = number;
        public Kind Kind { get; } = kind;
        public RunTimes Times { get; } = times;
        public TimeSpan Last { get; set; } = last;
        public int Live { get; set; }
    }

    /// <summary>What was learned before, as <see cref="TakeLearned"/> gave it. Call this before anything else.</summary>
    public void Load(IEnumerable<(string Key, string Counts)> learned)
    {
        foreach (var (key, counts) in learned)
        {
            if (key == AllKey)
            {
                var at = counts.IndexOf(' ', StringComparison.Ordinal) is >= 0 and var space ? space : counts.Length;
                if (long.TryParse(counts.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)) _tick = TimeSpan.FromSeconds(seconds);
                _all.ReadNoted(counts[at..]);
                continue;
            }
            if (key.StartsWith('#'))
            {
                _restored[key] = counts;
                continue;
            }
            var parts = key.Split('\n');
            if (parts.Length != 4 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var devices)) continue;
            Read(counts, TimesOf(new(parts[1], parts[2], parts[3], devices)));
        }
    }

    // Counts of batches whose claims have not arrived yet: only the batch's own, since its kind has them already.
    private readonly Dictionary<string, string> _restored = [];

    /// <summary>What is different since the last call, to be stored: a key, and counts as text; empty where the key is to be forgotten.</summary>
    public IReadOnlyCollection<KeyValuePair<string, string>> TakeLearned()
    {
        if (_changedKinds.Count + _changedBatches.Count == 0 && !_isNoteNew) return [];
        var taken = _changedKinds.Select(k => KeyValuePair.Create(k.Key, Write(TimesOf(k))))
            .Concat(_changedBatches.Select(n => KeyValuePair.Create(KeyOf(n), _batches.TryGetValue(n, out var batch) ? Write(batch.Times) : "")))
            .Concat(_isNoted ? [] : [KeyValuePair.Create(AllKey, WriteNoted())])
            .OrderBy(p => p.Key, StringComparer.Ordinal).ToArray();
        (_isNoted, _isNoteNew) = (true, false);
        _changedKinds.Clear();
        _changedBatches.Clear();
        return taken;
    }

    private string WriteNoted() => string.Create(CultureInfo.InvariantCulture, $"{(long)_tick!.Value.TotalSeconds} {_all.WriteNoted()}");

    // No kind's key, which has line ends in it, and no batch's.
    private const string AllKey = "*";

    private static string KeyOf(long batch) => string.Create(CultureInfo.InvariantCulture, $"#{batch}");

    /// <summary>A claim has come, and belongs to those that it came together with.</summary>
    /// <param name="batch">The number of their first, where that is known from before; zero where not.</param>
    public void Arrive(Claim claim, long batch = 0)
    {
        var kind = Known(new(claim.Project, claim.Owner, Plain(claim.Name), claim.Shape.Devices));
        var mine = batch > 0 ? _batches.GetValueOrDefault(batch) : _latest.GetValueOrDefault(kind) is { } last && claim.Submitted - last.Last <= Together ? last : null;
        if (mine is null)
        {
            mine = new(batch > 0 ? batch : claim.Number, kind, new(TimesOf(kind), 0.5), claim.Submitted);
            if (_restored.Remove(KeyOf(mine.Number), out var counts)) Read(counts, mine.Times, isOwn: true);
        }
        if (mine.Last < claim.Submitted || mine.Live == 0) mine.Last = claim.Submitted;
        if (!_latest.TryGetValue(kind, out var latest) || latest.Number <= mine.Number) _latest[kind] = mine;
        if (mine.Live++ == 0) _batches[mine.Number] = mine;
        (claim.Batch, claim.Reached) = (mine, 0);
        Reach(claim, claim.Worked + claim.Gained);
        if (_latest.Count > 2 * _batches.Count + 1000) Tidy(claim.Submitted);
    }

    /// <summary>A tick has come: what was seen of all jobs together up to then is noted, once, whoever asks first and also where that was before a restart.</summary>
    public void Note(TimeSpan tick)
    {
        if (tick == _tick) return;
        (_tick, _isNoted) = (tick, false);
        _isNoteNew |= _all.Note();
    }

    /// <summary>
    /// What was noted counts from now on for kinds of which little is known. What is seen after it counts only for those of its own project and size:
    /// else each end of a job would change what is expected of all.
    /// </summary>
    public void Digest() => _all.Digest();

    /// <summary>Where there are no ticks: what was seen of all jobs counts.</summary>
    public void DigestAtOnce()
    {
        _all.Note();
        _all.Digest();
    }

    /// <summary>A claim has come so far without having ended.</summary>
    public static void Reach(Claim claim, TimeSpan attained)
    {
        var reached = Buckets.Of(attained);
        if (reached == claim.Reached) return;
        for (var times = claim.Batch!.Times; times is not null; times = times.Wider) times.Reach(claim.Reached, reached);
        claim.Reached = reached;
    }

    /// <summary>A claim has ended, having worked this long in all; null where it says nothing, having been cancelled before it began.</summary>
    public void End(Claim claim, TimeSpan? worked)
    {
        var batch = claim.Batch!;
        for (var times = batch.Times; times is not null; times = times.Wider)
        {
            if (claim.Reached > 0) times.Reach(claim.Reached, 0);
            if (worked is { } time) times.End(Buckets.Of(time));
        }
        if (worked is not null) _changedKinds.Add(batch.Kind);
        // Of those that came together only what the ones that are left may need is kept.
        if (batch.Times.Count > (worked is null ? 0 : 1) || batch.Live > 1 && worked is not null) _changedBatches.Add(batch.Number);
        if (--batch.Live == 0) _batches.Remove(batch.Number);
    }

    internal static RunTimes.Estimate Expect(Claim claim, TimeSpan now) => claim.Batch!.Times.At(Buckets.Of(claim.Progress(now)));

    /// <summary>How long one that holds is likely to go on: half of its kind that came this far ended within that.</summary>
    public static TimeSpan Remaining(Claim claim, TimeSpan now)
    {
        var left = Claim.TimeAt(claim.Speed, TimeSpan.FromSeconds(Math.Max(1, Expect(claim, now).Median)));
        if (claim.Limit is { } limit && claim.Since + limit - now < left) left = claim.Since + limit - now;
        return left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1);
    }

    /// <summary>
    /// How long one that holds goes on at most, with this likelihood. Where nothing of its name has ended yet, what its owner expects is
    /// believed, from half of it to half as much again.
    /// </summary>
    /// <param name="speed">How fast it will work, in thousandths of an H100; null for as fast as on what it holds.</param>
    public static TimeSpan Remaining(Claim claim, TimeSpan now, double likelihood, int? speed = null)
    {
        var left = Left(claim, now, likelihood, speed ?? claim.Speed);
        if (claim.Limit is { } limit && claim.Since + limit - now < left) left = claim.Since + limit - now;
        return left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1);
    }

    /// <summary>How long one that waits would hold at most, with this likelihood, if it started now.</summary>
    /// <param name="speed">How fast it would work, in thousandths of an H100.</param>
    public static TimeSpan Likely(Claim waiting, TimeSpan now, double likelihood, int speed) =>
        Left(waiting, now, likelihood, speed) is var left && waiting.Limit < left ? waiting.Limit.Value : left;

    private static TimeSpan Left(Claim claim, TimeSpan now, double likelihood, int speed)
    {
        var attained = claim.Attained(now);
        var (times, isKnown) = (claim.Batch!.Times, claim.Batch.Times.Count + claim.Batch.Times.Wider!.Count > 0);
        return !isKnown && claim.Expected is { } expected && expected > attained
            ? (expected - attained) * (0.5 + likelihood)
            : Claim.TimeAt(speed, TimeSpan.FromSeconds(Math.Min(1e9, times.Quantile(Buckets.Of(claim.Progress(now)), likelihood))));
    }

    private RunTimes TimesOf(Kind kind)
    {
        if (!_sizes.TryGetValue((kind.Project, kind.Devices), out var size)) _sizes[(kind.Project, kind.Devices)] = size = new(_all, 8);
        if (_kinds.TryGetValue(kind, out var times)) return times;
        return kind.IsBlank ? size : _kinds[kind] = new(size, 2);
    }

    // A name beyond those that are told apart goes with all others of its project.
    private Kind Known(Kind kind) => kind.IsBlank || _kinds.Count < MostKinds || _kinds.ContainsKey(kind) ? kind : kind with { Owner = "*", Name = "" };

    // Those that came together and are all gone have told the others what they can.
    private void Tidy(TimeSpan now)
    {
        foreach (var kind in _latest.Where(l => l.Value.Live == 0 && now - l.Value.Last > Together).Select(l => l.Key).ToList()) _latest.Remove(kind);
    }

    /// <summary>A name without its numbers: <c>sweep-lr0.01-3</c> and <c>sweep-lr0.02-4</c> are one.</summary>
    private static string Plain(string name) => name.Any(char.IsAsciiDigit) ? string.Concat(name.Where(c => !char.IsAsciiDigit(c))) : name;

    /// <summary>Such as <c>40:3 41:1</c>: three ended in bucket 40.</summary>
    private static string Write(RunTimes times) => string.Join(' ', Enumerable.Range(0, Buckets.Count).Where(b => times.EndedIn(b) > 0)
        .Select(b => string.Create(CultureInfo.InvariantCulture, $"{b}:{times.EndedIn(b)}")));

    private static void Read(string counts, RunTimes into, bool isOwn = false)
    {
        foreach (var pair in counts.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = pair.IndexOf(':', StringComparison.Ordinal);
            if (!int.TryParse(pair.AsSpan(0, Math.Max(0, colon)), NumberStyles.None, CultureInfo.InvariantCulture, out var bucket)
                || !int.TryParse(pair.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || bucket >= Buckets.Count) continue;
            for (var times = into; times is not null; times = isOwn ? null : times.Wider) times.End(bucket, count);
        }
    }
}
