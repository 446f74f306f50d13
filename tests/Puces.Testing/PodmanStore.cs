using System.Diagnostics;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// Podman with a store of its own and one small image, made of BusyBox: no registry is asked for anything. Where Podman or a static BusyBox is
/// missing its tests are skipped.
/// </summary>
public sealed class PodmanStore : IDisposable
{
    public const string Image = "localhost/puces/busybox:1";

    private const string BusyBox = "/bin/busybox";
    private static readonly string[] Applets = ["cat", "echo", "env", "head", "id", "kill", "ls", "mkdir", "mv", "readlink", "seq", "sh", "sleep", "touch", "tr"];

    private readonly string _folder = Directory.CreateTempSubdirectory("puces-podman-").FullName;
    private readonly string? _missing;

    public PodmanStore()
    {
        _missing = Make();
    }

    /// <summary>What an agent needs to use it, and no other engine. Skips the test where it cannot be made.</summary>
    public Dictionary<string, string> Environment
    {
        get
        {
            Assert.SkipWhen(_missing is not null, _missing ?? "");
            return Settings;
        }
    }

    private Dictionary<string, string> Settings => new()
    {
        ["PUCES_ENGINES"] = "podman",
        ["CONTAINERS_CONF"] = _folder + "/containers.conf",
        ["CONTAINERS_STORAGE_CONF"] = _folder + "/storage.conf",
    };

    /// <summary>Runs Podman on the store; its output, or what was wrong.</summary>
    public (int ExitCode, string Output) Podman(params string[] arguments)
    {
        var start = new ProcessStartInfo("podman", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Settings) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, (process.ExitCode == 0 ? output : error.Result).Trim());
    }

    /// <summary>Containers of the store, in whatever state.</summary>
    public string[] Containers => Podman("ps", "--all", "--format", "{{.Names}}").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string? Make()
    {
        if (!OnPath("podman")) return "there is no podman here: ./test installs it";
        if (!File.Exists(BusyBox)) return "there is no static BusyBox here: ./test installs it";
        // Without the right to raise limits, and on machines with both kinds of control groups, this is what works everywhere.
        File.WriteAllText(_folder + "/containers.conf", """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [engine]
            cgroup_manager = "cgroupfs"
            """ + (OnPath("runc") ? "\nruntime = \"runc\"\n" : "\n"));
        File.WriteAllText(_folder + "/storage.conf", $"[storage]\ndriver = \"vfs\"\ngraphroot = \"{_folder}/images\"\nrunroot = \"{_folder}/run\"\n");
        var root = Directory.CreateDirectory(_folder + "/root").FullName;
        foreach (var folder in (string[])["bin", "etc", "tmp", "root"]) Directory.CreateDirectory(Path.Combine(root, folder));
        File.Copy(BusyBox, root + "/bin/busybox");
        foreach (var applet in Applets) File.CreateSymbolicLink(root + "/bin/" + applet, "busybox");
        File.WriteAllText(root + "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        System.Formats.Tar.TarFile.CreateFromDirectory(root, _folder + "/image.tar", includeBaseDirectory: false);
        var (exitCode, said) = Podman("import", _folder + "/image.tar", Image);
        return exitCode == 0 ? null : "podman does not work here: " + said;
    }

    private static bool OnPath(string program) =>
        (System.Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    public void Dispose()
    {
        if (_missing is null) Podman("rm", "--all", "--force", "--time", "0");
        Directory.Delete(_folder, recursive: true);
    }
}
