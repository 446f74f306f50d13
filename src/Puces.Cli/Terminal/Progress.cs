using System.Diagnostics;

namespace Puces.Cli.Terminal;

/// <summary>A bar in the status line for work of a known size: appears once the work takes long enough to ask about.</summary>
/// <param name="show">How an amount of the work reads; bytes where it is null.</param>
internal sealed class Progress(Screen screen, string what, long total, Func<long, string>? show = null)
{
    private const int Width = 24;
    private static readonly TimeSpan Appears = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);
    private readonly string _all = (show ?? Say.Bytes)(total);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _shown;
    private bool _isNoted;

    public void Set(long done)
    {
        var elapsed = _clock.Elapsed;
        if (elapsed < Appears || elapsed - _shown < Between) return;
        _shown = elapsed;
        if (!screen.HasStatus)
        {
            // No terminal: one line says what takes so long.
            if (!_isNoted && elapsed > TimeSpan.FromSeconds(2)) screen.Note($"{what}: {_all} …");
            _isNoted |= elapsed > TimeSpan.FromSeconds(2);
            return;
        }
        var share = total > 0 ? Math.Clamp((double)done / total, 0, 1) : 1;
        var filled = (int)(share * Width);
        var rate = done / elapsed.TotalSeconds;
        var left = rate > 0 ? $" · {Say.Duration(TimeSpan.FromSeconds((total - done) / rate))} left" : "";
        screen.Status($"{what} {new string('█', filled)}{new string('░', Width - filled)} {share,4:P0} of {_all}{left}");
    }
}
