namespace Puces.Core.Replay;

/// <summary>Keeps a pool's use over time at an even spacing that doubles whenever there are too many points.</summary>
internal sealed class UseCurve
{
    private const int Most = 4096;
    private readonly List<UsePoint> _points = new(Most);
    private TimeSpan _step = TimeSpan.Zero;
    private UsePoint? _last;

    public void Add(UsePoint point)
    {
        _last = point;
        if (_points.Count > 0 && point.At - _points[^1].At < _step)
        {
            // Of several at one moment the last one holds.
            if (point.At == _points[^1].At) _points[^1] = point;
            return;
        }
        if (_points.Count > 0 && point.At == _points[^1].At) _points[^1] = point;
        else _points.Add(point);
        if (_points.Count >= Most) Thin();
    }

    public IReadOnlyList<UsePoint> Points
    {
        get
        {
            if (_last is { } last && _points[^1] != last) _points.Add(last);
            return _points;
        }
    }

    private void Thin()
    {
        _step = _step == TimeSpan.Zero ? (_points[^1].At - _points[0].At) / (Most / 2) : _step * 2;
        var kept = 1;
        for (var i = 1; i < _points.Count; i++)
            if (_points[i].At - _points[kept - 1].At >= _step) _points[kept++] = _points[i];
        _points.RemoveRange(kept, _points.Count - kept);
    }
}
