namespace Puces.Runner.Containers;

/// <summary>
/// Apptainer (https://apptainer.org/docs/user/main/cli/apptainer_exec.html): a container is a process like any other, with the user, the
/// network, the limits and the devices of the one that starts it. So CUDA is told which devices to use
/// (https://apptainer.org/docs/user/main/gpu.html). Variables come as <c>APPTAINERENV_NAME</c>
/// (https://apptainer.org/docs/user/main/environment_and_metadata.html).
/// </summary>
internal sealed class Apptainer : Engine
{
    public override string Name => "apptainer";
    public override bool IsApart => false;

    public override IReadOnlyList<string> Probe => [Name, "version"];

    public override IReadOnlyList<string> Has(Box box) => ["test", "-e", File(box)];

    public override IReadOnlyList<string> Pull(Box box) => [Name, "pull", "--force", ImageFile(box)!.Value.Pulled, Source(box.Image)];

    public override (string Pulled, string Kept)? ImageFile(Box box) => (File(box) + "." + box.Name, File(box));

    public override IReadOnlyList<string>? Create(Box box) => null;

    public override IReadOnlyList<string> Start(Box box)
    {
        // Of the home directory nothing is seen: Python finds packages of the node in it.
        List<string> words = [Name, "exec", "--cleanenv", "--no-home", "--writable-tmpfs", "--pwd", box.Work];
        foreach (var folder in box.Folders) words.AddRange(["--bind", $"{folder}:{folder}"]);
        if (box.Has("nvidia")) words.Add("--nv");
        if (box.Has("amd")) words.Add("--rocm");
        return [.. words, File(box), .. box.Command];
    }

    public override IReadOnlyList<string>? Remove(string name) => null;

    public override IEnumerable<KeyValuePair<string, string>> ForProgram(Box box) => box.Variables.Select(v => new KeyValuePair<string, string>("APPTAINERENV_" + v.Key, v.Value));

    private static string Source(string image) => image.Contains("://", StringComparison.Ordinal) ? image : "docker://" + image;

    private static string File(Box box) => box.Image.StartsWith('/') ? box.Image : $"{box.Images}/{FileName(box.Image)}.sif";
}
