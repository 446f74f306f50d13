using System.Collections;
using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>The environment of the user's processes: a clean base, what the order says, and what Puces tells them.</summary>
internal static class Surroundings
{
    // What a program needs to find itself on a machine. Everything else of the agent's own environment stays here: it may hold secrets.
    private static readonly HashSet<string> Kept =
    [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH",
        "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "CUDA_HOME", "CUDA_PATH", "ROCM_PATH", "HIP_PATH", "ONEAPI_ROOT", "DOTNET_ROOT", "JAVA_HOME",
        "PUCES_SHARED", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    ];

    // What container engines are configured by: for their own programs, and for no process of a user.
    private static readonly string[] OfEngines = ["DOCKER_", "CONTAINER", "REGISTRY_AUTH_FILE", "APPTAINER_", "ENROOT_", "DBUS_SESSION_BUS_ADDRESS", "PUCES_ENGINES", "PUCES_IN_IMAGE", "PUCES_KERNEL_LOG"];

    // What of the node's own holds in a container too. Where programs and libraries lie, its image says.
    private static readonly HashSet<string> KeptInside = ["LANG", "LANGUAGE", "TZ", "TERM", "PUCES_SHARED", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

    /// <summary>The agent's own variables that a watcher and the engine of its container get.</summary>
    public static Dictionary<string, string> ForEngine()
    {
        var all = Base();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            if (Array.Exists(OfEngines, ((string)variable.Key).StartsWith)) all[(string)variable.Key] = (string?)variable.Value ?? "";
        return all;
    }

    /// <summary>The agent's own variables that a process may see.</summary>
    public static Dictionary<string, string> Base()
    {
        var kept = new Dictionary<string, string>();
        // In a container of the job's own, what is set is what its image needs.
        var isImage = Environment.GetEnvironmentVariable("PUCES_IMAGE") is { Length: > 0 };
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var (name, value) = ((string)variable.Key, (string?)variable.Value ?? "");
            // A proxy may be named with a password in it.
            var isSecret = name.Contains("proxy", StringComparison.OrdinalIgnoreCase) && value.Contains('@', StringComparison.Ordinal);
            if ((isImage || Kept.Contains(name) || name.StartsWith("LC_", StringComparison.Ordinal)) && !isSecret) kept[name] = value;
        }
        kept.TryAdd("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        kept.TryAdd("LANG", "C.UTF-8");
        kept["TERM"] = "dumb";
        return kept;
    }

    /// <summary>
    /// What a rank is told in a container. Where the image's own user is not meant, a home directory that can be written to is the work
    /// directory; and NVIDIA's devices go by names that do not change with how many of them are seen.
    /// </summary>
    /// <param name="devices">Real ones that it sees.</param>
    public static Dictionary<string, string> Inside(Dictionary<string, string> outside, RankOrder order, string work, IReadOnlyList<Device> devices)
    {
        var given = Base();
        var all = outside.Where(v => !given.ContainsKey(v.Key) || KeptInside.Contains(v.Key) || order.Env.ContainsKey(v.Key) || order.Secrets.ContainsKey(v.Key)).ToDictionary();
        if (Libc.UserId() != 0) all.TryAdd("HOME", work);
        var nvidia = string.Join(',', devices.Where(d => d.Vendor == "nvidia").Select(d => d.Uuid ?? Text(d.Index)));
        if (nvidia.Length > 0) all["CUDA_VISIBLE_DEVICES"] = nvidia;
        // NVIDIA's images ask for all devices by this, and where its runtime is the engine's usual one they would get them.
        all["NVIDIA_VISIBLE_DEVICES"] = nvidia.Length > 0 ? nvidia : "void";
        return all;
    }

    /// <summary>The whole environment of a rank. Puces' own words win over the user's.</summary>
    public static Dictionary<string, string> Of(RankOrder order, RankFolder rank, string work, string checkpoints, string? checkpoint)
    {
        var all = Base();
        foreach (var (name, value) in order.Env) all[name] = value;
        foreach (var (name, value) in order.Secrets) all[name] = value;

        var nodes = Math.Max(1, order.Hosts.Count);
        var local = Math.Max(1, order.Devices.Count);
        all["PUCES_TAG"] = order.Tag;
        all[RankFolder.Mark] = rank.Path;
        all["PUCES_JOB_ID"] = order.Job.ToString();
        all["PUCES_JOB_NAME"] = order.JobName;
        all["PUCES_PROJECT"] = order.Project;
        all["PUCES_ATTEMPT"] = Text(order.Number);
        all["PUCES_RANK"] = Text(order.Rank);
        all["PUCES_NODES"] = Text(nodes);
        all["PUCES_NODE_RANK"] = Text(order.Rank);
        all["PUCES_HOSTS"] = string.Join(',', order.Hosts);
        all["PUCES_GPUS"] = Text(order.Devices.Count);
        if (order.GpuShare is { } share)
        {
            all["PUCES_GPU_SHARE"] = (share / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
            // Where NVIDIA's Multi-Process Service runs on the node, it keeps the process to so many of the device's threads; without it nobody reads this.
            all.TryAdd("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", Text(Math.Max(1, share / 10)));
        }
        all["PUCES_CHECKPOINT_DIR"] = checkpoints;
        if (checkpoint is not null) all["PUCES_CHECKPOINT"] = checkpoint;
        else all.Remove("PUCES_CHECKPOINT");
        all["PUCES_WORKDIR"] = work;

        all["MASTER_ADDR"] = order.Hosts.Count > 0 ? order.Hosts[0] : "127.0.0.1";
        all["MASTER_PORT"] = Text(order.MasterPort);
        all["WORLD_SIZE"] = Text(nodes * local);
        all["NODE_RANK"] = Text(order.Rank);
        all["LOCAL_WORLD_SIZE"] = Text(local);

        // An empty list hides the devices of that vendor: a job sees those that it holds, and no other.
        all["CUDA_VISIBLE_DEVICES"] = Nvidia(order);
        all["ROCR_VISIBLE_DEVICES"] = Indices(order, "amd");
        // ROCR renumbers what it shows: HIP, which lies above it, counts from zero again.
        all["HIP_VISIBLE_DEVICES"] = string.Join(',', Enumerable.Range(0, order.Devices.Count(d => d.Vendor == "amd")));
        all["ZE_AFFINITY_MASK"] = Indices(order, "intel");
        return all;
    }

    public static List<string> Block(Dictionary<string, string> variables)
    {
        var block = new List<string>(variables.Count);
        // A name with '=' or a zero byte in it cannot be handed over, and would hide another.
        foreach (var (name, value) in variables)
            if (name.Length > 0 && !name.Contains('=', StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal))
                block.Add(name + "=" + value.Replace("\0", "", StringComparison.Ordinal));
        return block;
    }

    // A MIG instance has no number that CUDA knows, and forms are not mixed.
    private static string Nvidia(RankOrder order)
    {
        var devices = order.Devices.Where(d => d.Vendor == "nvidia").ToList();
        return devices.Exists(d => d.Uuid?.StartsWith("MIG-", StringComparison.Ordinal) == true)
            ? string.Join(',', devices.Select(d => d.Uuid ?? Text(d.Index))) : Indices(order, "nvidia");
    }

    private static string Indices(RankOrder order, string vendor) =>
        order.Devices.Count == 0 ? "" : string.Join(',', order.Devices.Where(d => d.Vendor == vendor).Select(d => d.Index));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
