using System.Globalization;
using System.Runtime.InteropServices;
using Puces.Bench.Measurements;

namespace Puces.Bench;

/// <summary>Takes the measurements that the command names, one after another, and puts things back as they were.</summary>
public static class Program
{
    /// <summary>Beside a Slurm: taken together.</summary>
    private static readonly IReadOnlyList<(string Name, Func<Bench, Task> Take)> Systems =
    [
        ("version", VersionTime.TakeAsync), ("submit", SubmitRate.TakeAsync), ("batch", BatchRate.TakeAsync), ("run", RunRate.TakeAsync),
        ("start", StartTime.TakeAsync), ("wake", WakeTime.TakeAsync), ("list", ListTime.TakeAsync), ("memory", MemoryUse.TakeAsync),
    ];

    /// <summary>Each for itself, with a file of its own.</summary>
    private static readonly IReadOnlyList<(string Name, Func<Bench, Task> Take)> Alone =
    [
        ("replay-speed", ReplaySpeed.TakeAsync), ("passes", ReplaySpeed.TakePassesAsync), ("waiting", WaitingTime.TakeAsync), ("behaviour", Behaviour.TakeAsync),
        ("slurm-pool", SlurmPoolTime.TakeAsync), ("hosts", HostsCost.TakeAsync),
    ];

    public static async Task<int> Main(string[] arguments)
    {
        try
        {
            var options = Options.Parse(arguments, [.. Systems.Select(m => m.Name)], [.. Alone.Select(m => m.Name)]);
            await RunAsync(options);
            return 0;
        }
        catch (Exception e) when (e is FormatException or BenchException or IOException or UnauthorizedAccessException or HttpRequestException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return e is FormatException ? 2 : 1;
        }
    }

    private static async Task RunAsync(Options options)
    {
        var isSystems = Systems.Any(m => options.Names.Contains(m.Name));
        if (isSystems && !options.IsQuick && File.Exists(Path.Combine(options.Programs, "puces.dll")))
            throw new BenchException($"puces in {options.Programs} is not native code yet; call: PUCES_BUILD=native ./puces version");
        // Interrupted, it still ends what it has started.
        var interrupted = new TaskCompletionSource();
        Action<PosixSignalContext> stop = signal =>
        {
            signal.Cancel = true;
            interrupted.TrySetException(new BenchException("interrupted"));
        };
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, stop);
        using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, stop);
        Directory.CreateDirectory(options.Folder);
        try
        {
            var report = new Report();
            await using (var bench = new Bench(options, report)) await await Task.WhenAny(TakeAsync(bench), interrupted.Task);
            var text = report.Finish();
            if (options.Out is not { } file) return;
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllTextAsync(file, text);
        }
        finally
        {
            Directory.Delete(options.Folder, recursive: true);
        }
    }

    private static async Task TakeAsync(Bench bench)
    {
        if (Systems.Any(m => bench.Options.Names.Contains(m.Name))) await DescribeAsync(bench);
        foreach (var (_, take) in Systems.Concat(Alone).Where(m => bench.Options.Names.Contains(m.Name))) await take(bench);
        if (Systems.Any(m => bench.Options.Names.Contains(m.Name))) bench.Report.Heading($"At the end: load {Machine.Load}, {Figures.Show(Machine.SyncRate(bench.Options.Folder))} syncs/s");
    }

    private static async Task DescribeAsync(Bench bench)
    {
        var (options, report) = (bench.Options, bench.Report);
        var puces = (await Shell.RunAsync([Path.Combine(options.Programs, "puces"), "version"])).Trim();
        var slurm = await bench.SlurmAsync() is { } there ? (await there.RunAsync("sbatch", "--version")).Trim() : "no Slurm";
        report.Line($"{puces} beside {slurm}{(options.IsQuick ? " (quick: the figures mean nothing)" : "")}");
        report.Line();
        report.Line(string.Create(CultureInfo.InvariantCulture, $"date      {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, load {Machine.Load}"));
        report.Line($"machine   {Machine.Describe()}");
        report.Line($"disk      {Machine.FileSystem(options.Folder, mayBeMemory: options.IsQuick)}, {Figures.Show(Machine.SyncRate(options.Folder))} syncs/s (4 KiB appended and synced, one after another)");
        report.Line($"command   {options.Command}");
        report.Line($"both      4 nodes of 16 CPUs and 4 devices, all on this machine; one file system; callers on this machine too");
        report.Line($"stored    Puces answers when a job is synced; Slurm answers first and writes within 5 s: a crash loses what it has acknowledged");
        report.Line($"CPU       by {CpuGroup.Description} round each system: daemons, agents, watchers, jobs; Slurm's commands too, Puces' HTTP callers not");
    }
}
