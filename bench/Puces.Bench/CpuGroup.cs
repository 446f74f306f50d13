using System.Globalization;

namespace Puces.Bench;

/// <summary>
/// A control group round everything that belongs to one system: its CPU time counts each process in it, living or dead, to the
/// nanosecond or microsecond, and is the same whatever else keeps the machine busy.
/// </summary>
internal sealed class CpuGroup : IDisposable
{
    private const string Root = "/sys/fs/cgroup";
    private readonly string _folder;
    private readonly bool _isFirstVersion = Directory.Exists(Root + "/cpuacct");

    public CpuGroup(string name)
    {
        _folder = Path.Combine(Root, _isFirstVersion ? "cpuacct" : "", $"puces-bench-{Environment.ProcessId}-{name}");
        Directory.CreateDirectory(_folder);
    }

    public static string Description =>
        Directory.Exists(Root + "/cpuacct") ? "control groups (cpuacct.usage)" : "control groups (cpu.stat usage_usec)";

    public TimeSpan Used => _isFirstVersion
        ? TimeSpan.FromMicroseconds(Number(File.ReadAllText(_folder + "/cpuacct.usage")) / 1000)
        : TimeSpan.FromMicroseconds(Number(File.ReadLines(_folder + "/cpu.stat").First(l => l.StartsWith("usage_usec", StringComparison.Ordinal))[11..]));

    /// <summary>Processes in it now.</summary>
    public IReadOnlyList<int> Members => [.. File.ReadLines(_folder + "/cgroup.procs").Select(l => (int)Number(l))];

    /// <summary>The words of a command that joins the group and then becomes the command.</summary>
    public string[] Join(params IEnumerable<string> command) => ["/bin/sh", "-c", "echo $$ >\"$0\"/cgroup.procs && exec \"$@\"", _folder, .. command];

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
