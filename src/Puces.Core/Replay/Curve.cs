namespace Puces.Core.Replay;

/// <summary>How a pool was used over time, in bounded memory: when it is full, every other point goes.</summary>
internal sealed class Curve
{
    private const int Most = 4096;
    private readonly List<UsePoint> _points = [];
    private int _stride = 1, _skipped;
    private UsePoint _last;
    private TimeSpan _wanted;
    private double _idle;   // device seconds

    public IReadOnlyList<UsePoint> Points => _points;

    /// <summary>Mean share of the devices that nobody held, over the time in which somebody waited; 0 to 1.</summary>
    public double IdleWhileWanted(int devices) => _wanted > TimeSpan.Zero && devices > 0 ? _idle / (_wanted.TotalSeconds * devices) : 0;

    public void Add(TimeSpan at, int devices, int held, long wanted)
    {
        if (_last.Wanted > 0)
        {
            _wanted += at - _last.At;
            _idle += (at - _last.At).TotalSeconds * (devices - _last.Held);
        }
        _last = new(at, held, (int)Math.Min(wanted, int.MaxValue));
        if (++_skipped < _stride) return;
        _skipped = 0;
        _points.Add(_last);
        if (_points.Count < Most) return;
        for (var i = 0; i < Most / 2; i++) _points[i] = _points[2 * i + 1];
        _points.RemoveRange(Most / 2, Most / 2);
        _stride *= 2;
    }
}
