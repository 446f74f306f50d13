using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Runner.Containers;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

// A rank with an image: its container, from before it is made until it is gone.
internal sealed partial class RankRun
{
    private Container? _container;
    private bool _ranOutInside;
    // What its engine calls it, and the kernel its control group.
    private string? _engineName;

    /// <summary>Where the job names an image: never without it.</summary>
    private string? MakeContainer()
    {
        if (_order.Image is null || _order.Engine == Engines.Inside) return null;
        if (Engines.Named(_order.Engine) is null) return $"it needs a container engine ({Request.Engines}), and none works on this node";
        Files.MakeFolder(_rank.Scratch);
        Script.Write(_order, _rank.Scratch, _work);
        _container ??= Container.Of(_order, _rank, _layout, _work, _checkpoints!.Folder, Variables(), () => _watch.MustEnd());
        // What the engine leaves running for itself is not the job's, and not to be ended with it.
        if (_container.IsApart) Libc.AdoptOrphans(false);
        return _container.Make(_log.Say);
    }

    /// <summary>Setup and run in one container. Its engine knows better than its program how that ended.</summary>
    private (int ExitCode, string Phase, string? Refusal) RunContainer(Container container, DateTimeOffset begun)
    {
        var hasSetup = _order.Setup is { Length: > 0 };
        Report(_report with { Phase = hasSetup ? RankPhase.Setup : RankPhase.Run, Started = begun, LogLength = _log.Length });
        if (_watch.MustEnd()) return (StoppedBeforeStart, "setup", null);
        _group?.Enter();
        var launched = container.Start();
        _group?.Leave();
        if (launched.Problem is { } problem) return (0, "", problem);
        _orders.Begin();
        _watch.Container = container.IsApart ? container : null;
        var exitCode = _watch.Until(launched.Pid, launched.Output, launched.Error, _order.Run.Script is not null);
        var phase = hasSetup && !File.Exists(Script.SetUp(_rank.Scratch)) ? "setup" : "run";
        if (!container.IsApart) return (exitCode, phase, null);
        switch (container.Look())
        {
            case { HasBegun: true, IsRunning: false } state:
                // Podman does not hear of it under control groups of version 1; the kernel names the container's own then.
                _engineName = state.Id;
                _ranOutInside = state.RanOutOfMemory || state.ExitCode != 0 && Kernel.Any(l => l.Contains("oom_memcg=", StringComparison.Ordinal) && l.Contains(state.Id, StringComparison.Ordinal));
                return (state.ExitCode, phase, null);
            case var _ when _watch.Cause is not null: return (exitCode, phase, null);
            case { HasBegun: false } state:
                var words = state.Error.Length > 0 ? state.Error : _watch.LastError;
                return CodeOf(words) is { } code ? (code, phase, null) : (0, "", $"{_order.Engine} could not start the container: {words}");
            case { } or null: return (0, "", $"{_order.Engine} does not say how the container ended; its program did with exit code {exitCode}");
        }
    }

    /// <summary>As a shell counts it, where the command cannot be run: that is the job's own doing, with or without a container. The words are runc's and crun's.</summary>
    private static int? CodeOf(string words) =>
        words.Contains("executable file not found", StringComparison.Ordinal) || words.Contains("exec: \"", StringComparison.Ordinal) && words.Contains("no such file or directory", StringComparison.Ordinal) ? 127
        : words.Contains("exec: \"", StringComparison.Ordinal) && words.Contains("permission denied", StringComparison.Ordinal) ? 126 : null;

    private void LookAtContainer()
    {
        _container?.Measure();
        if (_report.Phase is RankPhase.Setup && _container is not null && File.Exists(Script.SetUp(_rank.Scratch)))
            _ = TryReport(_report with { Phase = RankPhase.Run, LogLength = _log.Length });
    }

    /// <summary>Nothing is told before the container is gone: not even its end.</summary>
    private void Remove(Container container)
    {
        for (var tries = 0; !container.Remove(); tries++)
        {
            if (tries == 0) _log.Say($"{_order.Engine} does not take the container away; it is asked again.");
            Thread.Sleep(1000);
        }
        if (container.IsApart) Libc.AdoptOrphans();
        Files.Empty(_rank.Scratch);
    }
}
