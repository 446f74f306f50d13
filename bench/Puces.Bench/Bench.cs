namespace Puces.Bench;

/// <summary>What the measurements share: the options, the report, one Slurm, started when it is first needed, and all daemons, to be ended.</summary>
internal sealed class Bench(Options options, Report report) : IAsyncDisposable
{
    private readonly List<PucesSystem> _daemons = [];
    private SlurmSystem? _slurm;

    public Options Options => options;
    public Report Report => report;

    /// <summary>A count, made small for a quick run.</summary>
    public int Count(int count, int least = 2) => options.IsQuick ? Math.Max(least, count / 50) : count;

    /// <summary>The head of a report that stands for itself.</summary>
    public void Begin(string title)
    {
        report.Line(title);
        report.Line();
        report.Line($"date      {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, load {Machine.Load}");
        report.Line($"machine   {Machine.Describe()}");
        report.Line($"command   {options.Command}");
    }

    /// <summary>Slurm, with no jobs at all; null without it.</summary>
    public async Task<SlurmSystem?> SlurmAsync()
    {
        if (!options.WithSlurm) return null;
        _slurm ??= new(Path.Combine(options.Folder, "slurm"));
        await _slurm.EmptyAsync();
        return _slurm;
    }

    /// <summary>A daemon on an empty folder.</summary>
    public async Task<PucesSystem> PucesAsync(int nodes = 4)
    {
        var system = new PucesSystem(options, nodes);
        _daemons.Add(system);
        await system.LaunchAsync();
        return system;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var daemon in _daemons) await daemon.DisposeAsync();
        if (_slurm is not null) await _slurm.DisposeAsync();
    }
}
