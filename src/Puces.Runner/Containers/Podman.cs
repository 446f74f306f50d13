namespace Puces.Runner.Containers;

/// <summary>
/// Podman: Docker's command line (https://docs.podman.io/en/latest/markdown/podman-create.1.html), without a daemon, and without root if need
/// be. NVIDIA's devices are those of the Container Device Interface
/// (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/cdi-support.html), which names them by UUID too.
/// </summary>
internal sealed class Podman : Docker
{
    public override string Name => "podman";

    public override IReadOnlyList<string> Probe => [Name, "info", "--format", "{{.Store.GraphDriverName}}"];

    public override IReadOnlyList<string> Remove(string name) => [Name, "rm", "--force", "--ignore", "--volumes", "--time", "0", name];

    protected override IEnumerable<string> Nvidia(string devices) => devices.Split(',').SelectMany(d => (string[])["--device", "nvidia.com/gpu=" + d]);

    // Without root, a user of the container is otherwise one of the node's that nobody has.
    protected override IEnumerable<string> User(Box box) => box.User == 0 ? [] : ["--userns", "keep-id"];

    protected override IEnumerable<string> Groups(Box box) => ["--group-add", "keep-groups"];
}
