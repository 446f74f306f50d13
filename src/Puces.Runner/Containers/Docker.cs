namespace Puces.Runner.Containers;

/// <summary>
/// Docker (https://docs.docker.com/reference/cli/docker/container/create/). NVIDIA's devices need its Container Toolkit, and are named as in
/// https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html; AMD's as in
/// https://rocm.docs.amd.com/projects/install-on-linux/en/latest/how-to/docker.html.
/// </summary>
internal class Docker : Engine
{
    public override string Name => "docker";
    public override bool IsApart => true;

    public override IReadOnlyList<string> Probe => [Name, "version", "--format", "{{.Server.Version}}"];

    public override IReadOnlyList<string> Has(Box box) => [Name, "image", "inspect", "--format", "{{.Id}}", box.Image];

    public override IReadOnlyList<string> Pull(Box box) => [Name, "pull", "--quiet", box.Image];

    /// <summary>
    /// The image's entry point is left out, so that a job's command is the same with and without an image. The network is the node's: a gang
    /// finds its ranks there. So is shared memory, through which data loaders and NCCL speak.
    /// </summary>
    public override IReadOnlyList<string> Create(Box box)
    {
        List<string> words =
        [
            Name, "create", "--name", box.Name, "--pull", "never", "--entrypoint", "", "--network", "host", "--ipc", "host",
            "--security-opt", "label=disable", "--user", $"{box.User}:{box.Group}", .. User(box), "--workdir", box.Work, "--env-file", box.VariablesFile,
        ];
        foreach (var (name, value) in box.Variables)
            if (!FitsLine(value)) words.AddRange(["--env", name]);
        foreach (var folder in box.Folders) words.AddRange(["--mount", $"type=bind,source={folder},target={folder}"]);
        if (box.Memory > 0) words.AddRange(["--memory", Box.Text(box.Memory), "--memory-swap", Box.Text(box.Memory)]);
        if (box.MilliCpus > 0) words.AddRange(["--cpus", (box.MilliCpus / 1000m).ToString("0.###", System.Globalization.CultureInfo.InvariantCulture)]);
        if (box.Has("nvidia")) words.AddRange(Nvidia(box.Of("nvidia")));
        if (box.Has("amd")) words.AddRange(["--device", "/dev/kfd"]);
        if (box.Has("amd") || box.Has("intel")) words.AddRange(["--device", "/dev/dri", .. box.User == 0 ? [] : Groups(box)]);
        return [.. words, box.Image, .. box.Command];
    }

    public override IReadOnlyList<string> Start(Box box) => [Name, "start", "--attach", box.Name];

    public override IReadOnlyList<string>? Remove(string name) => [Name, "rm", "--force", "--volumes", name];

    public override IReadOnlyList<string> Kill(string name, string signal) => [Name, "kill", "--signal", signal, name];

    public override IReadOnlyList<string> Inspect(string name) =>
        [Name, "container", "inspect", "--format", "{{.State.Status}} {{.State.Pid}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.Id}} {{.State.Error}}", name];

    // A line of the file is a variable: one whose value has several lines is taken from the environment of the program instead.
    public override IEnumerable<KeyValuePair<string, string>> ForProgram(Box box) => box.Variables.Where(v => !FitsLine(v.Value));

    public override IEnumerable<string> VariableLines(Box box) => box.Variables.Where(v => FitsLine(v.Value)).Select(v => $"{v.Key}={v.Value}");

    /// <summary>The value is a field of comma-separated ones: quoted, as it has commas itself.</summary>
    protected virtual IEnumerable<string> Nvidia(string devices) => ["--gpus", $"\"device={devices}\""];

    protected virtual IEnumerable<string> User(Box box) => [];

    protected virtual IEnumerable<string> Groups(Box box) => box.Groups.SelectMany(g => (string[])["--group-add", Box.Text(g)]);

    private static bool FitsLine(string value) => !value.AsSpan().ContainsAny('\n', '\r');
}
