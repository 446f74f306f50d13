namespace Puces.Core.Replay;

/// <summary>A job as <see cref="Repack"/> sees it, in seconds and iterations.</summary>
/// <param name="Submitted">Seconds since the beginning of the trace's own clock.</param>
/// <param name="Gpus">Whole devices of the gang.</param>
/// <param name="Iterations">Of its work.</param>
/// <param name="IterationTime">Seconds of one.</param>
/// <param name="Overhead">Seconds of work that it loses between any two events at which the pool is packed anew.</param>
public readonly record struct RepackJob(double Submitted, int Gpus, double Iterations, double IterationTime, double Overhead = 0);

/// <summary>
/// The preemptive reference: at each arrival and each end all placements are dropped and jobs are placed anew in order of the work that remains,
/// first fit by node, those that do not fit passed over. These are the rules of Muri's simulator (Zhao et al., SIGCOMM'22) for SRTF and SRSF; with
/// no overheads it is a scheduler that stops, moves and starts jobs for nothing, which no real one can. Sums are done in its order of floating
/// point operations, so that its published figures come out to the last digit.
/// </summary>
public static class Repack
{
    /// <param name="jobs">By their submit time.</param>
    /// <param name="nodes">How many, all alike.</param>
    /// <param name="devices">Of each node.</param>
    /// <param name="bySize">Remaining time × devices (SRSF) rather than remaining time (SRTF).</param>
    /// <param name="progress">Hears how many jobs have ended.</param>
    public static Repacked Run(IReadOnlyList<RepackJob> jobs, int nodes, int devices, bool bySize, Action<int>? progress = null) =>
        new Run(jobs, nodes, devices, bySize).ToEnd(progress);
}

/// <summary>What became of each job, in seconds as they were counted.</summary>
public sealed record Repacked(
    double[] Starts, double[] Ends, IReadOnlyList<UsePoint> Use, int Preemptions, double DeviceSecondsLost, double DeviceSeconds, double Fragmentation);

file sealed class Run
{
    private readonly IReadOnlyList<RepackJob> _jobs;
    private readonly int _devices, _pool;
    private readonly bool _bySize;
    private readonly double[] _left, _key, _end, _start;
    private readonly int[] _free, _packed;
    /// <summary>The sizes that there are, from the smallest, which one each job has, and how many of each are here, and are not yet placed.</summary>
    private readonly int[] _sizes, _sizeOf, _here, _unplaced;
    /// <summary>While the pool is packed its nodes only fill: no node before this one has room for a job of that size.</summary>
    private readonly int[] _from;
    private readonly UseCurve _use = new();

    /// <summary>Jobs that are here and not done, by what remains; equal ones in the order they were in.</summary>
    private readonly List<int> _active = [];
    /// <summary>Those that run, and where in <see cref="_active"/> they stood when the pool was packed, in that order.</summary>
    private List<int> _running = [], _before = [];
    private readonly List<int> _places = [];

    private int _event, _held, _asked, _preemptions, _ended;
    private double _lost, _used, _waited, _stranded, _strandedShare;
    private bool _someoneWaits;

    public Run(IReadOnlyList<RepackJob> jobs, int nodes, int devices, bool bySize)
    {
        (_jobs, _devices, _pool, _bySize) = (jobs, devices, nodes * devices, bySize);
        (_left, _key, _end, _start) = (new double[jobs.Count], new double[jobs.Count], new double[jobs.Count], new double[jobs.Count]);
        (_free, _packed) = (new int[nodes], new int[jobs.Count]);
        _sizes = [.. jobs.Select(j => j.Gpus).Distinct().Order()];
        _sizeOf = [.. jobs.Select(j => Array.BinarySearch(_sizes, j.Gpus))];
        (_here, _unplaced, _from) = (new int[_sizes.Length], new int[_sizes.Length], new int[_sizes.Length]);
        if (_sizes.Length > 0 && _sizes[^1] > _pool) throw new ArgumentException($"a job asks for {_sizes[^1]} devices; the pool has {_pool}", nameof(jobs));
    }

    public Repacked ToEnd(Action<int>? progress)
    {
        var (next, last) = (0, 0.0);
        while (next < _jobs.Count || _active.Count > 0)
        {
            var arrival = next < _jobs.Count ? _jobs[next].Submitted : double.PositiveInfinity;
            var end = double.PositiveInfinity;
            foreach (var job in _running) end = Math.Min(end, _end[job]);
            var now = Math.Min(arrival, end);
            _event++;
            Measure(now - last);
            if (end <= arrival) RemoveEnded(end);
            for (var i = 0; i < _running.Count; i++) Work(_running[i], _places[i], now - last);
            for (; next < _jobs.Count && _jobs[next].Submitted == now; next++) Enter(next);
            Pack(now);
            if ((_event & 1023) == 0) progress?.Invoke(_ended);
            last = now;
        }
        progress?.Invoke(_ended);
        return new(_start, _end, _use.Points, _preemptions, _lost, _used, _waited > 0 ? _stranded / _waited : 0);
    }

    private void Measure(double elapsed)
    {
        _used += elapsed * _held;
        if (!_someoneWaits) return;
        _waited += elapsed;
        _stranded += elapsed * _strandedShare;
    }

    private void RemoveEnded(double end)
    {
        var kept = 0;
        for (var i = 0; i < _running.Count; i++)
        {
            var (job, place) = (_running[i], _places[i] - (i - kept));
            if (_end[job] == end)
            {
                _active.RemoveAt(place);
                _asked -= _jobs[job].Gpus;
                _here[_sizeOf[job]]--;
                _ended++;
            }
            else (_running[kept], _places[kept++]) = (job, place);
        }
        _running.RemoveRange(kept, _running.Count - kept);
        _places.RemoveRange(kept, _places.Count - kept);
    }

    /// <summary>What ran has less left: it moves forward, never past one that has as little.</summary>
    private void Work(int job, int place, double elapsed)
    {
        var (gpus, iteration, overhead) = (_jobs[job].Gpus, _jobs[job].IterationTime, _jobs[job].Overhead);
        _left[job] -= Math.Max(elapsed - overhead, 0) / iteration;
        _lost += Math.Min(elapsed, overhead) * gpus;
        _key[job] = Key(job);
        var to = Behind(_key[job], place);
        if (to == place) return;
        _active.RemoveAt(place);
        _active.Insert(to, job);
    }

    private void Enter(int job)
    {
        _left[job] = _jobs[job].Iterations;
        _start[job] = double.NaN;
        _key[job] = Key(job);
        _active.Insert(Behind(_key[job], _active.Count), job);
        _asked += _jobs[job].Gpus;
        _here[_sizeOf[job]]++;
    }

    private double Key(int job) => _left[job] * _jobs[job].IterationTime * (_bySize ? _jobs[job].Gpus : 1);

    /// <summary>The first of so many places whose job has more left than that.</summary>
    private int Behind(double key, int count)
    {
        // Most stay where they are.
        if (count == 0 || _key[_active[count - 1]] <= key) return count;
        var (low, high) = (0, count - 1);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_key[_active[middle]] <= key) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private void Pack(double now)
    {
        Array.Fill(_free, _devices);
        (_running, _before) = (_before, _running);
        _running.Clear();
        _places.Clear();
        Array.Clear(_from);
        _here.CopyTo(_unplaced);
        var (left, waiting, smallest) = (_pool, -1, 0);
        for (var i = 0; i < _active.Count; i++)
        {
            var job = _active[i];
            while (_unplaced[smallest] == 0) smallest++;
            var isFull = left < _sizes[smallest];
            if (isFull || !TryPlace(_jobs[job].Gpus, ref _from[_sizeOf[job]]))
            {
                if (waiting < 0) waiting = job;
                if (isFull) break;
                continue;
            }
            _unplaced[_sizeOf[job]]--;
            _running.Add(job);
            _places.Add(i);
            _packed[job] = _event;
            left -= _jobs[job].Gpus;
            _end[job] = now + _left[job] * _jobs[job].IterationTime;
            if (double.IsNaN(_start[job])) _start[job] = now;
        }
        foreach (var job in _before)
            if (_packed[job] != _event) _preemptions++;
        _held = _pool - left;
        _use.Add(new(new((long)(now * TimeSpan.TicksPerSecond)), _held, _asked - _held));
        _someoneWaits = waiting >= 0;
        _strandedShare = waiting < 0 || left == 0 ? 0 : _jobs[waiting].Gpus <= _devices ? 1 : (double)(left - _devices * _free.Count(f => f == _devices)) / left;
    }

    /// <summary>Within one node the first with room; beyond it whole idle nodes, and the rest on the first other one with room.</summary>
    private bool TryPlace(int gpus, ref int from)
    {
        if (gpus <= _devices)
        {
            while (from < _free.Length && _free[from] < gpus) from++;
            if (from == _free.Length) return false;
            _free[from] -= gpus;
            return true;
        }
        while (from < _free.Length && _free[from] < _devices) from++;
        var (whole, rest) = Math.DivRem(gpus, _devices);
        var lastWhole = from - 1;
        for (var needed = whole; needed > 0; needed--)
        {
            lastWhole = Array.IndexOf(_free, _devices, lastWhole + 1);
            if (lastWhole < 0) return false;
        }
        var other = rest == 0 ? -1 : FirstForRest(rest, lastWhole);
        if (rest > 0 && other < 0) return false;
        for (var i = from; i <= lastWhole; i++)
            if (_free[i] == _devices) _free[i] = 0;
        if (other >= 0) _free[other] -= rest;
        return true;
    }

    private int FirstForRest(int rest, int lastWhole)
    {
        for (var i = 0; i < _free.Length; i++)
            if (_free[i] >= rest && !(i <= lastWhole && _free[i] == _devices)) return i;
        return -1;
    }
}
