using System.Globalization;
using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Limits;

/// <summary>The control groups of one rank: its limits while it runs, what it used when it has ended.</summary>
internal sealed class RankGroup
{
    private readonly CgroupKind _kind;
    private readonly string _memory, _cpu;
    private readonly bool _countsCpu;
    private readonly string _homeMemory, _homeCpu;

    private RankGroup(Cgroups all, string tag, string homeMemory, string homeCpu)
    {
        _kind = all.Kind;
        (_memory, _cpu) = (all.Memory + "/" + tag, all.Cpu + "/" + tag);
        _countsCpu = all.CpuAccounting.Length > 0;
        (_homeMemory, _homeCpu) = (homeMemory, homeCpu);
    }

    public IEnumerable<string> Folders => _memory == _cpu ? [_memory] : [_memory, _cpu];

    /// <summary>Groups with these limits, zero being none; null where the node has nothing to make them with.</summary>
    public static RankGroup? Make(string tag, long memory, int milliCpus)
    {
        var all = Cgroups.Find();
        if (all.Kind == CgroupKind.None) return null;
        var group = new RankGroup(all, tag, Parent(all.Memory), Parent(all.Cpu));
        foreach (var folder in group.Folders)
            if (Libc.MakeFolder(folder, 0x1ED) != 0 && Libc.Errno != Libc.Exists) return null;
        if (all.Kind == CgroupKind.Cgroup2)
        {
            if (memory > 0) Write(group._memory + "/memory.max", memory);
            if (memory > 0) Write(group._memory + "/memory.swap.max", 0);
            if (milliCpus > 0) Files.TryWrite(group._cpu + "/cpu.max", Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{milliCpus * 100L} 100000")));
        }
        else
        {
            if (memory > 0) Write(group._memory + "/memory.limit_in_bytes", memory);
            if (memory > 0) Write(group._memory + "/memory.memsw.limit_in_bytes", memory);
            if (milliCpus > 0) Write(group._cpu + "/cpu.cfs_period_us", 100_000);
            if (milliCpus > 0) Write(group._cpu + "/cpu.cfs_quota_us", milliCpus * 100L);
        }
        return group;
    }

    /// <summary>What this process starts from here on is limited: a child begins in its parent's group.</summary>
    public void Enter()
    {
        foreach (var folder in Folders) Files.TryWrite(folder + "/cgroup.procs", "0"u8);
    }

    public void Leave()
    {
        foreach (var home in _homeMemory == _homeCpu ? [_homeMemory] : (string[])[_homeMemory, _homeCpu])
            if (!Files.TryWrite(home + "/cgroup.procs", "0"u8)) Files.TryWrite(home + "/puces.outside/cgroup.procs", "0"u8);
    }

    public bool RanOutOfMemory => (_kind == CgroupKind.Cgroup2
        ? Cgroups.ReadNumber(_memory + "/memory.events", "oom_kill")
        : Cgroups.ReadNumber(_memory + "/memory.oom_control", "oom_kill")) > 0;

    public long PeakMemory => Cgroups.ReadNumber(_memory + (_kind == CgroupKind.Cgroup2 ? "/memory.peak" : "/memory.max_usage_in_bytes"), "");

    public TimeSpan Cpu => !_countsCpu ? default : _kind == CgroupKind.Cgroup2
        ? TimeSpan.FromMicroseconds(Cgroups.ReadNumber(_cpu + "/cpu.stat", "usage_usec"))
        : TimeSpan.FromMicroseconds(Cgroups.ReadNumber(_cpu + "/cpuacct.usage", "") / 1000);

    public void Remove()
    {
        foreach (var folder in Folders) Remove(folder);
    }

    /// <summary>Ends every process of a group and takes the group away; false while some are left.</summary>
    public static bool Clear(string folder)
    {
        if (!Directory.Exists(folder)) return true;
        foreach (var line in File.ReadLines(folder + "/cgroup.procs"))
            if (int.TryParse(line, out var pid) && pid != Libc.ProcessId()) _ = Libc.Kill(pid, Signals.Kill);
        return Remove(folder);
    }

    private static bool Remove(string folder)
    {
        try
        {
            // Control groups hold files that cannot be deleted; the folder alone can.
            Directory.Delete(folder);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string Parent(string folder) => Path.GetDirectoryName(folder)!;

    private static void Write(string path, long value) => Files.TryWrite(path, Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));
}
