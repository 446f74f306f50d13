using System.Diagnostics;

namespace Puces.Cli.Terminal;

/// <summary>A bar in the status line for work of a known size: appears once the work takes long enough to ask about.</summary>
/// <param name="say">How amounts are written; bytes where it is null.</param>
/// <param name="appears">How long the work takes before anyone asks.</param>
internal sealed class Progress(Screen screen, string what, long total, Func<long, string>? say = null, TimeSpan? appears = null)
{
    private const int Width = 24;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);
    private readonly TimeSpan _appears = appears ?? TimeSpan.FromMilliseconds(400);
    private readonly Func<long, string> _say = say ?? Say.Bytes;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _shown;
    private bool _isNoted;

    public void Set(long done)
    {
        var elapsed = _clock.Elapsed;
        if (elapsed < _appears || elapsed - _shown < Between) return;
        _shown = elapsed;
        if (!screen.HasStatus)
        {
            // No terminal: one line says what takes so long.
            if (!_isNoted && elapsed > TimeSpan.FromSeconds(2)) screen.Note($"{what}: {_say(total)} …");
            _isNoted |= elapsed > TimeSpan.FromSeconds(2);
            return;
        }
        var share = total > 0 ? Math.Clamp((double)done / total, 0, 1) : 1;
        var filled = (int)(share * Width);
        var rate = done / elapsed.TotalSeconds;
        var left = rate > 0 ? $" · {Say.Duration(TimeSpan.FromSeconds((total - done) / rate))} left" : "";
        screen.Status($"{what} {new string('█', filled)}{new string('░', Width - filled)} {share,4:P0} of {_say(total)}{left}");
    }
}
