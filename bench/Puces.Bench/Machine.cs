using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Puces.Bench;

/// <summary>What the figures were taken on.</summary>
internal static partial class Machine
{
    public static string Describe()
    {
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[^1] ?? "?";
        return $"{Environment.ProcessorCount} cores ({model}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9:0} GB, "
            + $"{RuntimeInformation.OSDescription}, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}, {RuntimeInformation.FrameworkDescription}";
    }

    /// <summary>CPU time of the calling thread: the same whatever else keeps the machine busy, but for its caches.</summary>
    public static TimeSpan ThreadCpu => GetTime(ThreadClock, out var time) == 0 ? new(time.Seconds * TimeSpan.TicksPerSecond + time.Nanoseconds / 100) : default;

    /// <summary>CPU time of a command and of its children, which must succeed.</summary>
    public static async Task<TimeSpan> CpuOfAsync(params string[] command)
    {
        var times = await Shell.RunAsync(["bash", "-c", "TIMEFORMAT='%U %S'; { time \"$@\" >/dev/null; } 2>&1", "bash", .. command]);
        return TimeSpan.FromSeconds(times.Trim().Split(' ').Sum(s => double.Parse(s, CultureInfo.InvariantCulture)));
    }

    private const int ThreadClock = 3;

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public long Seconds, Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Time time);

    /// <summary>Processes that wait for a core, on average over the last minute.</summary>
    public static string Load => File.ReadAllText("/proc/loadavg").Split(' ')[0];

    /// <summary>The folder's file system; one in memory is refused, since both systems are to store what they acknowledge.</summary>
    public static string FileSystem(string folder, bool mayBeMemory)
    {
        var form = new DriveInfo(folder).DriveFormat;
        if (!mayBeMemory && (form is "tmpfs" or "ramfs")) throw new BenchException($"{folder} is in memory ({form}); give --dir a folder on a disk");
        return form;
    }

    /// <summary>Appends of 4 KiB a second, each followed by a sync.</summary>
    public static double SyncRate(string folder)
    {
        var path = Path.Combine(folder, "sync-rate");
        var block = new byte[4096];
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.DeleteOnClose);
        var (begun, count) = (Stopwatch.StartNew(), 0);
        for (; begun.ElapsedMilliseconds < 1000; count++)
        {
            RandomAccess.Write(file, block, count * 4096L);
            RandomAccess.FlushToDisk(file);
        }
        return count / begun.Elapsed.TotalSeconds;
    }

    /// <summary>Megabytes of a process in memory: all of them, and those that are its own and not of a file.</summary>
    public static (double Resident, double Own) Memory(int pid)
    {
        var fields = File.ReadLines($"/proc/{pid}/status").Select(l => l.Split(':')).ToDictionary(p => p[0], p => p[^1]);
        return (Megabytes("VmRSS"), Megabytes("RssAnon"));

        double Megabytes(string name) => long.Parse(fields[name].AsSpan().Trim()[..^3], CultureInfo.InvariantCulture) * 1024 / 1e6;
    }
}
