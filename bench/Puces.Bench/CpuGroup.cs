using System.Globalization;

namespace Puces.Bench;

/// <summary>
/// A control group round everything that belongs to one system: its CPU time counts each process in it, living or dead, to the
/// nanosecond or microsecond, and is the same whatever else keeps the machine busy. Without the right to make one nothing is counted.
/// </summary>
internal sealed class CpuGroup : IDisposable
{
    private const string Root = "/sys/fs/cgroup";
    private static readonly bool IsFirstVersion = Directory.Exists(Root + "/cpuacct");
    private readonly string? _folder = Path.Combine(Root, IsFirstVersion ? "cpuacct" : "");

    public CpuGroup(string name)
    {
        _folder = Path.Combine(_folder!, $"puces-bench-{Environment.ProcessId}-{name}");
        try { Directory.CreateDirectory(_folder); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { _folder = null; }
    }

    public static string Description => IsFirstVersion ? "control groups (cpuacct.usage)" : "control groups (cpu.stat usage_usec)";

    /// <summary>Milliseconds until now; no number where they are not counted.</summary>
    public double Used => _folder is null ? double.NaN
        : IsFirstVersion ? Number(File.ReadAllText(_folder + "/cpuacct.usage")) / 1e6
        : Number(File.ReadLines(_folder + "/cpu.stat").First(l => l.StartsWith("usage_usec", StringComparison.Ordinal))[11..]) / 1e3;

    /// <summary>The words of a command that joins the group and then becomes the command.</summary>
    public string[] Join(params IEnumerable<string> command) =>
        _folder is null ? [.. command] : ["/bin/sh", "-c", "echo $$ >\"$0\"/cgroup.procs && exec \"$@\"", _folder, .. command];

    public void Dispose()
    {
        // The kernel keeps a group until the last of it has been waited for.
        for (var i = 0; i < 50 && Directory.Exists(_folder); i++)
        {
            try { Directory.Delete(_folder); }
            catch (IOException) { Thread.Sleep(100); }
        }
    }

    private static long Number(string text) => long.Parse(text.AsSpan().Trim(), CultureInfo.InvariantCulture);
}
