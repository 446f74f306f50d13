using System.Globalization;
using Puces.Runner.Posix;

namespace Puces.Runner.Limits;

/// <summary>How CPU and memory limits are kept on a node.</summary>
internal enum CgroupKind { None, Cgroup1, Cgroup2 }

/// <summary>
/// The control groups that this process may use: those below its own, whether or not it is root and with or without systemd. Version 1
/// has a folder for each controller, version 2 one for all.
/// </summary>
internal sealed class Cgroups(CgroupKind kind, string memory, string cpu, string cpuAccounting)
{
    public static readonly Cgroups None = new(CgroupKind.None, "", "", "");

    public CgroupKind Kind => kind;
    public string Memory => memory;
    public string Cpu => cpu;
    public string CpuAccounting => cpuAccounting;

    public string Word => kind.ToString().ToLowerInvariant();

    /// <summary>Looks for controllers, and tries whether a group can be made below our own.</summary>
    public static Cgroups Find()
    {
        try
        {
            var mounts = File.ReadAllLines("/proc/self/mountinfo");
            var groups = File.ReadAllLines("/proc/self/cgroup");
            return Version2(mounts, groups) ?? Version1(mounts, groups) ?? None;
        }
        catch (IOException)
        {
            return None;
        }
    }

    /// <summary>What the control groups of another process have used: those of a container, by its first process. Zero where that cannot be read.</summary>
    public static (TimeSpan Cpu, long PeakMemory) UseOf(int pid)
    {
        try
        {
            var (mounts, groups) = (File.ReadAllLines("/proc/self/mountinfo"), File.ReadAllLines($"/proc/{pid}/cgroup"));
            if (Own(mounts, groups, "memory") is { } memory)
                return (TimeSpan.FromMicroseconds(Own(mounts, groups, "cpuacct") is { } cpu ? ReadNumber(cpu + "/cpuacct.usage", "") / 1000 : 0), ReadNumber(memory + "/memory.max_usage_in_bytes", ""));
            if (Array.Find(groups, g => g.StartsWith("0::", StringComparison.Ordinal)) is not { } one || Mounted(mounts, "cgroup2", null) is not { } mount) return default;
            var own = Below(mount, one[3..]);
            return (TimeSpan.FromMicroseconds(ReadNumber(own + "/cpu.stat", "usage_usec")), ReadNumber(own + "/memory.peak", ""));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    private static Cgroups? Version1(string[] mounts, string[] groups)
    {
        var memory = Own(mounts, groups, "memory");
        var cpu = Own(mounts, groups, "cpu");
        if (memory is null || cpu is null || !CanMakeGroups(memory) || !CanMakeGroups(cpu)) return null;
        var accounting = Own(mounts, groups, "cpuacct");
        return new(CgroupKind.Cgroup1, memory + "/puces", cpu + "/puces", accounting is not null && accounting == cpu ? cpu + "/puces" : "");
    }

    private static Cgroups? Version2(string[] mounts, string[] groups)
    {
        if (Array.Find(groups, g => g.StartsWith("0::", StringComparison.Ordinal)) is not { } mine) return null;
        if (Mounted(mounts, "cgroup2", null) is not { } mount) return null;
        var own = Below(mount, mine[3..]);
        var offered = ReadWords(own + "/cgroup.controllers");
        if (!offered.Contains("memory") || !offered.Contains("cpu") || !CanMakeGroups(own)) return null;
        if (!Enable(own) && !(MoveAside(own) && Enable(own))) return null;
        Files.MakeFolder(own + "/puces");
        return Enable(own + "/puces") ? new(CgroupKind.Cgroup2, own + "/puces", own + "/puces", own + "/puces") : null;
    }

    private static bool Enable(string group) =>
        ReadWords(group + "/cgroup.subtree_control") is var on && on.Contains("memory") && on.Contains("cpu")
        || Files.TryWrite(group + "/cgroup.subtree_control", "+memory +cpu"u8);

    /// <summary>A group of version 2 that holds processes may not limit groups below it: ours go to one beside.</summary>
    private static bool MoveAside(string own)
    {
        var aside = own + "/puces.outside";
        if (Libc.MakeFolder(aside, 0x1ED) != 0 && Libc.Errno != Libc.Exists) return false;
        foreach (var pid in ReadWords(own + "/cgroup.procs"))
            if (!Files.TryWrite(aside + "/cgroup.procs", System.Text.Encoding.ASCII.GetBytes(pid))) return false;
        return true;
    }

    private static bool CanMakeGroups(string own)
    {
        var group = own + "/puces";
        return (Libc.MakeFolder(group, 0x1ED) == 0 || Libc.Errno == Libc.Exists) && Libc.Access(group, 2) == 0;
    }

    /// <summary>Our own group's folder in the hierarchy of one controller of version 1.</summary>
    private static string? Own(string[] mounts, string[] groups, string controller)
    {
        foreach (var line in groups)
        {
            var parts = line.Split(':', 3);
            if (parts.Length == 3 && parts[1].Split(',').Contains(controller) && Mounted(mounts, "cgroup", controller) is { } mount)
                return Below(mount, parts[2]);
        }
        return null;
    }

    private static (string Root, string Point)? Mounted(string[] mounts, string type, string? controller)
    {
        foreach (var line in mounts)
        {
            var dash = line.IndexOf(" - ", StringComparison.Ordinal);
            if (dash < 0) continue;
            var tail = line[(dash + 3)..].Split(' ');
            var head = line[..dash].Split(' ');
            if (tail.Length < 3 || head.Length < 5 || tail[0] != type) continue;
            if (controller is null || tail[2].Split(',').Contains(controller)) return (head[3], head[4]);
        }
        return null;
    }

    /// <summary>In a container the mount may begin below the real root.</summary>
    private static string Below((string Root, string Point) mount, string group)
    {
        if (mount.Root.Length > 1 && group.StartsWith(mount.Root, StringComparison.Ordinal)) group = group[mount.Root.Length..];
        var path = (mount.Point + group).TrimEnd('/');
        return Directory.Exists(path) ? path : mount.Point;
    }

    private static string[] ReadWords(string path)
    {
        try
        {
            return File.ReadAllText(path).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The number after a word in a file of <c>word number</c> lines, or of one number where the word is empty.</summary>
    public static long ReadNumber(string path, string word)
    {
        var words = ReadWords(path);
        for (var i = 0; i < words.Length; i++)
        {
            var at = word.Length == 0 ? i : words[i] == word && i + 1 < words.Length ? i + 1 : -1;
            if (at >= 0 && long.TryParse(words[at], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return number;
        }
        return 0;
    }
}
