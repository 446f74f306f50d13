namespace Puces.Runner.Containers;

/// <summary>
/// NVIDIA's Enroot (https://github.com/NVIDIA/enroot/blob/master/doc/usage.md): like Apptainer a process like any other, in a root
/// file system that is unpacked for it. Devices are those of <c>NVIDIA_VISIBLE_DEVICES</c>
/// (https://github.com/NVIDIA/enroot/blob/master/doc/standard-hooks.md).
/// </summary>
internal sealed class Enroot : Engine
{
    public override string Name => "enroot";
    public override bool IsApart => false;

    public override IReadOnlyList<string> Probe => [Name, "version"];

    public override IReadOnlyList<string> Has(Box box) => ["test", "-e", File(box)];

    public override IReadOnlyList<string> Pull(Box box) => [Name, "import", "--output", ImageFile(box)!.Value.Pulled, Source(box.Image)];

    public override (string Pulled, string Kept)? ImageFile(Box box) => (File(box) + "." + box.Name, File(box));

    public override IReadOnlyList<string> Create(Box box) => [Name, "create", "--name", box.Name, File(box)];

    /// <summary>The script in place of the image's own goes to the work directory: there is no option for that.</summary>
    public override IReadOnlyList<string> Start(Box box)
    {
        List<string> words = [Name, "start", "--rw", "--rc", box.EnterScript];
        if (box.User == 0) words.Add("--root");
        foreach (var folder in box.Folders) words.AddRange(["--mount", $"{folder}:{folder}:none:x-create=dir,rbind,rw"]);
        if (box.Has("amd")) words.AddRange(["--mount", "/dev/kfd:/dev/kfd:none:x-create=file,bind,rw"]);
        if (box.Has("amd") || box.Has("intel")) words.AddRange(["--mount", "/dev/dri:/dev/dri:none:x-create=dir,rbind,rw"]);
        foreach (var name in box.Variables.Keys) words.AddRange(["--env", name]);
        return [.. words, box.Name, .. box.Command];
    }

    public override IReadOnlyList<string>? Remove(string name) => [Name, "remove", "--force", name];

    // Those that Enroot itself finds its way by stay as they are.
    public override IEnumerable<KeyValuePair<string, string>> ForProgram(Box box) => box.Variables.Where(v => v.Key is not ("PATH" or "HOME" or "LD_LIBRARY_PATH"));

    /// <summary>As <c>docker://REGISTRY#IMAGE</c>: a first part with a dot or a colon in it is a registry, as for Docker.</summary>
    private static string Source(string image)
    {
        if (image.Contains("://", StringComparison.Ordinal)) return image;
        var slash = image.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && image.AsSpan(0, slash).ContainsAny('.', ':') ? $"docker://{image[..slash]}#{image[(slash + 1)..]}" : "docker://" + image;
    }

    private static string File(Box box) => box.Image.StartsWith('/') ? box.Image : $"{box.Images}/{FileName(box.Image)}.sqsh";
}
