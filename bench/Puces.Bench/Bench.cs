namespace Puces.Bench;

/// <summary>What the measurements share: the options, the report, and one Slurm, started when it is first needed.</summary>
internal sealed class Bench(Options options, Report report) : IAsyncDisposable
{
    private SlurmSystem? _slurm;

    public Options Options => options;
    public Report Report => report;

    /// <summary>A count, made small for a quick run.</summary>
    public int Count(int count, int least = 2) => options.IsQuick ? Math.Max(least, count / 50) : count;

    /// <summary>Slurm, with no jobs at all; null without it.</summary>
    public async Task<SlurmSystem?> SlurmAsync()
    {
        if (!options.WithSlurm) return null;
        if (_slurm is null) _slurm = await SlurmSystem.StartAsync(Path.Combine(options.Folder, "slurm"));
        else if (_slurm.HasJobs) await _slurm.RestartAsync();
        return _slurm;
    }

    public Task<PucesSystem> PucesAsync(int nodes = 4) => PucesSystem.StartAsync(options, nodes);

    public async ValueTask DisposeAsync()
    {
        if (_slurm is not null) await _slurm.DisposeAsync();
    }
}
