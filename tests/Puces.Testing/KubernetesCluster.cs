using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using k8s;
using k8s.Models;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// A real Kubernetes on this machine (<c>eng/k8s-local.sh</c>): one node that runs pods, with four pretended GPUs, and others that are only said to be
/// there. It is gone with the test process however that ends.
/// </summary>
public sealed class KubernetesCluster : IAsyncDisposable
{
    /// <summary>What pods run: this machine's own shell, coreutils and C library.</summary>
    public const string Image = "localhost/base:1";

    private const string FolderBegins = "puces-k8s-";

    private static readonly string? Script = FindScript();
    private readonly Process _guard;
    private readonly Lazy<Kubernetes> _client;

    private KubernetesCluster(string folder, Process guard)
    {
        (Folder, _guard) = (folder, guard);
        _client = new(() => new(KubernetesClientConfiguration.BuildConfigFromConfigFile(new FileInfo(Kubeconfig()))));
    }

    public string Folder { get; }

    /// <summary>As its administrator.</summary>
    public Kubernetes Client => _client.Value;

    /// <summary>The way in for <c>admin</c>, or for <c>stranger</c>, who may do nothing.</summary>
    public string Kubeconfig(string who = "admin") => Path.Combine(Folder, who + ".kubeconfig");

    /// <summary>Skips the test where such a cluster cannot be made.</summary>
    public static async Task<KubernetesCluster> StartAsync(CancellationToken ct)
    {
        Assert.SkipUnless(Script is not null && Environment.UserName == "root" && File.Exists("/usr/bin/etcd") && File.Exists("/usr/bin/containerd"), "Kubernetes is not here: run ./test as root");
        var programs = (await AskAsync("/bin/bash", [Path.Combine(Path.GetDirectoryName(Script)!, "k8s-build.sh"), "where"], ct)).Trim();
        Assert.SkipUnless(File.Exists(Path.Combine(programs, "kubelet")), "Kubernetes is not built: run ./test, or eng/k8s-build.sh");
        await ClearAsync(ct);
        // Sockets lie in it, whose names may not be long.
        var folder = Path.Combine(Path.GetTempPath(), FolderBegins + Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        Directory.CreateDirectory(folder);
        var guard = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", "trap '' INT TERM; cat >/dev/null; \"$0\" down \"$1\" >/dev/null 2>&1; rm -rf \"$1\"", Script!, folder]) { RedirectStandardInput = true })!;
        var cluster = new KubernetesCluster(folder, guard);
        await cluster.RunAsync(ct, "up");
        await cluster.RunAsync(ct, "base", Image);
        await cluster.Client.CoreV1.PatchNodeAsync(new V1Patch("""{"metadata":{"labels":{"puces-test":"real","nvidia.com/gpu.product":"NVIDIA-H100-80GB-HBM3"}}}""", V1Patch.PatchType.MergePatch), "node-1", cancellationToken: ct);
        await cluster.GiveDevicesAsync("node-1", "nvidia.com/gpu", 4, ct);
        return cluster;
    }

    /// <summary>On the node that runs pods, in the namespace <c>default</c>.</summary>
    public Pool Pool() => new("cluster", "kubernetes", Kubernetes: new(Kubeconfig(), Image: Image, Pull: "Never", NodeSelector: new Dictionary<string, string> { ["puces-test"] = "real" }));

    /// <summary>A node of which only the API server has heard.</summary>
    /// <param name="product">A label that names the model.</param>
    /// <param name="pods">How many pods it takes; none come to one that takes none.</param>
    public async Task AddNodeAsync(string name, string resource, int devices, string? product, CancellationToken ct, bool isCordoned = false, int pods = 110, params V1Taint[] taints)
    {
        var labels = new Dictionary<string, string> { ["puces-test"] = pods > 0 ? "said" : "real" };
        if (product is not null) labels[product.Split('=')[0]] = product.Split('=')[1];
        await Client.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = name, Labels = labels }, Spec = new() { Unschedulable = isCordoned, Taints = taints } }, cancellationToken: ct);
        // A node that is new is not believed to be ready before its kubelet says so; this one has none that would take it back.
        var ready = new { type = "Ready", status = "True", reason = "Said", message = "", lastHeartbeatTime = DateTime.UtcNow, lastTransitionTime = DateTime.UtcNow };
        await PatchStatusAsync(name, new { conditions = new[] { ready }, capacity = Amounts(resource, devices, pods), allocatable = Amounts(resource, devices, pods) }, ct);
        await Client.CoreV1.PatchNodeAsync(new V1Patch(JsonSerializer.Serialize(new { spec = new { taints = taints.Select(t => new { key = t.Key, value = t.Value, effect = t.Effect }) } }), V1Patch.PatchType.MergePatch), name, cancellationToken: ct);
    }

    /// <summary>Devices of a node, said as a device plug-in would.</summary>
    public Task GiveDevicesAsync(string node, string resource, int devices, CancellationToken ct)
    {
        var amounts = new Dictionary<string, string> { [resource] = devices.ToString(CultureInfo.InvariantCulture) };
        return PatchStatusAsync(node, new { capacity = amounts, allocatable = amounts }, ct);
    }

    /// <summary>A folder of the node that pods may share.</summary>
    public string Shared => Path.Combine(Folder, "shared");

    public Task KillApiServerAsync(CancellationToken ct) => RunAsync(ct, "stop", "apiserver");

    public Task StartApiServerAsync(CancellationToken ct) => RunAsync(ct, "apiserver");

    /// <summary>Names of all objects that Puces has made, or has made for one lease, and that are still there.</summary>
    public async Task<IReadOnlyList<string>> LeftAsync(CancellationToken ct, LeaseId? lease = null)
    {
        var ours = "app.kubernetes.io/managed-by=puces" + (lease is null ? "" : $",puces/lease={lease}");
        return
        [
            .. (await Client.CoreV1.ListPodForAllNamespacesAsync(labelSelector: ours, cancellationToken: ct)).Items.Select(o => "pod " + o.Metadata.Name),
            .. (await Client.CoreV1.ListServiceForAllNamespacesAsync(labelSelector: ours, cancellationToken: ct)).Items.Select(o => "service " + o.Metadata.Name),
            .. (await Client.CoreV1.ListConfigMapForAllNamespacesAsync(labelSelector: ours, cancellationToken: ct)).Items.Select(o => "config map " + o.Metadata.Name),
        ];
    }

    /// <summary>Names of the pods of Puces that have not ended. The kubelet of this version takes up to ten seconds more to let go of one that has.</summary>
    public async Task<IReadOnlyList<string>> RunningAsync(CancellationToken ct) =>
        [.. (await Client.CoreV1.ListPodForAllNamespacesAsync(labelSelector: "app.kubernetes.io/managed-by=puces", fieldSelector: "status.phase!=Succeeded,status.phase!=Failed", cancellationToken: ct)).Items.Select(o => "pod " + o.Metadata.Name)];

    /// <summary>Waits until no pod of Puces runs.</summary>
    public Task UntilIdleAsync(CancellationToken ct) => UntilNoneAsync(() => RunningAsync(ct), ct);

    /// <summary>Waits until nothing is there that Puces has made.</summary>
    public Task UntilNothingLeftAsync(CancellationToken ct) => UntilNoneAsync(() => LeftAsync(ct), ct);

    // A kubelet of 1.20 takes up to two minutes over a pod whose image never came.
    private static async Task UntilNoneAsync(Func<Task<IReadOnlyList<string>>> list, CancellationToken ct)
    {
        for (var begun = Stopwatch.StartNew(); await list() is { Count: > 0 } left; await Task.Delay(200, ct))
            Assert.True(begun.Elapsed < TimeSpan.FromMinutes(4), "still there: " + string.Join(", ", left));
    }

    public async ValueTask DisposeAsync()
    {
        if (_client.IsValueCreated) _client.Value.Dispose();
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private static Dictionary<string, string> Amounts(string resource, int devices, int pods) =>
        new() { ["cpu"] = "64", ["memory"] = "512Gi", ["pods"] = pods.ToString(CultureInfo.InvariantCulture), [resource] = devices.ToString(CultureInfo.InvariantCulture) };

    private Task<V1Node> PatchStatusAsync(string node, object status, CancellationToken ct) =>
        Client.CoreV1.PatchNodeStatusAsync(new V1Patch(JsonSerializer.Serialize(new { status }), V1Patch.PatchType.StrategicMergePatch), node, cancellationToken: ct);

    private async Task RunAsync(CancellationToken ct, params string[] words)
    {
        // Into a file: what it leaves running would keep a pipe open.
        var log = Path.Combine(Folder, "script.log");
        var start = new ProcessStartInfo("/bin/bash", ["-c", "\"$@\" >>\"$0\" 2>&1", log, Script!, words[0], Folder, .. words[1..]]);
        start.Environment["PORT"] = FreePorts().ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(ct);
        Assert.True(process.ExitCode == 0, await File.ReadAllTextAsync(log, ct));
    }

    /// <summary>What a run that was killed together with its guard has left.</summary>
    private static async Task ClearAsync(CancellationToken ct)
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), FolderBegins + "*"))
        {
            if (!int.TryParse(Path.GetFileName(folder)[FolderBegins.Length..], out var pid) || Directory.Exists($"/proc/{pid}")) continue;
            await AskAsync("/bin/bash", [Script!, "down", folder], ct);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> AskAsync(string program, string[] arguments, CancellationToken ct)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var answer = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return answer;
    }

    /// <summary>The first of some ports that nobody listens on now, below those that the system gives away.</summary>
    private static int FreePorts()
    {
        for (var first = 16000 + Environment.ProcessId % 150 * 10; ; first += 10)
        {
            try
            {
                for (var port = first; port < first + 10; port++)
                {
                    using var listener = new TcpListener(IPAddress.Loopback, port);
                    listener.Start();
                }
                return first;
            }
            catch (SocketException)
            {
            }
        }
    }

    private static string? FindScript()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "eng", "k8s-local.sh") is var script && File.Exists(script)) return script;
        return null;
    }
}
