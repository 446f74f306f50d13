using Puces.Core.Fleet;
using Puces.Runner.Containers;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>What each engine is told, word for word.</summary>
public sealed class EngineTests
{
    private static readonly Device[] Two = [new(2, "H100", "nvidia", default, "GPU-aa"), new(5, "H100", "nvidia", default, "GPU-bb")];
    private static readonly Device[] Amd = [new(1, "MI300X", "amd", default)];

    private static Box Box(Device[]? devices = null, int user = 0, string image = "nvcr.io/nvidia/pytorch:25.06-py3", string value = "1") => new(
        "puces-42-1.0-0badcafe", image, "/r/jobs/42/work", ["/r/jobs/42", "/nfs/saved"], new Dictionary<string, string> { ["A"] = value }, "/r/ranks/42-1.0/inside",
        "/r/images", ["python", "train.py"], devices ?? [], 7500, 64_000_000_000, user, user, [44, 109]);

    private static string Line(IReadOnlyList<string>? words) => string.Join(' ', words!.Select(w => w.Length == 0 ? "''" : w));

    [Fact]
    public void Docker_is_told_all_of_it()
    {
        var (engine, box) = (new Docker(), Box(Two));
        Assert.Equal(
            "docker create --name puces-42-1.0-0badcafe --pull never --entrypoint '' --network host --ipc host --security-opt label=disable --user 0:0 --workdir /r/jobs/42/work "
            + "--env-file /r/ranks/42-1.0/inside/variables --mount type=bind,source=/r/jobs/42,target=/r/jobs/42 --mount type=bind,source=/nfs/saved,target=/nfs/saved "
            + "--memory 64000000000 --memory-swap 64000000000 --cpus 7.5 --gpus \"device=GPU-aa,GPU-bb\" nvcr.io/nvidia/pytorch:25.06-py3 python train.py",
            Line(engine.Create(box)));
        Assert.Equal("docker pull --quiet nvcr.io/nvidia/pytorch:25.06-py3", Line(engine.Pull(box)));
        Assert.Equal("docker start --attach puces-42-1.0-0badcafe", Line(engine.Start(box)));
        Assert.Equal("docker kill --signal SIGTERM n", Line(engine.Kill("n", "SIGTERM")));
        Assert.Equal("docker rm --force --volumes n", Line(engine.Remove("n")));
        Assert.Equal(["A=1"], engine.VariableLines(box));
    }

    [Fact]
    public void Podman_is_told_the_devices_one_by_one_and_keeps_the_users_id_without_root()
    {
        var (engine, box) = (new Podman(), Box(Two, user: 1000));
        Assert.Equal(
            "podman create --name puces-42-1.0-0badcafe --pull never --entrypoint '' --network host --ipc host --security-opt label=disable --user 1000:1000 --userns keep-id --workdir /r/jobs/42/work "
            + "--env-file /r/ranks/42-1.0/inside/variables --mount type=bind,source=/r/jobs/42,target=/r/jobs/42 --mount type=bind,source=/nfs/saved,target=/nfs/saved "
            + "--memory 64000000000 --memory-swap 64000000000 --cpus 7.5 --device nvidia.com/gpu=GPU-aa --device nvidia.com/gpu=GPU-bb nvcr.io/nvidia/pytorch:25.06-py3 python train.py",
            Line(engine.Create(box)));
        Assert.Equal("podman rm --force --ignore --volumes --time 0 n", Line(engine.Remove("n")));
    }

    [Fact]
    public void Apptainer_keeps_an_image_as_a_file_and_is_told_variables_by_its_own()
    {
        var (engine, box) = (new Apptainer(), Box(Two));
        const string file = "/r/images/nvcr.io+nvidia+pytorch+25.06-py3.sif";
        Assert.Equal($"apptainer pull --force {file}.puces-42-1.0-0badcafe docker://nvcr.io/nvidia/pytorch:25.06-py3", Line(engine.Pull(box)));
        Assert.Equal(
            $"apptainer exec --cleanenv --no-home --writable-tmpfs --pwd /r/jobs/42/work --bind /r/jobs/42:/r/jobs/42 --bind /nfs/saved:/nfs/saved --nv {file} python train.py",
            Line(engine.Start(box)));
        Assert.Equal([new("APPTAINERENV_A", "1")], engine.ForProgram(box));
        Assert.EndsWith("/data/own.sif python train.py", Line(engine.Start(Box(image: "/data/own.sif"))));
    }

    [Fact]
    public void Enroot_is_told_the_registry_apart_and_goes_to_the_work_folder_by_a_script()
    {
        var (engine, box) = (new Enroot(), Box(Two));
        const string file = "/r/images/nvcr.io+nvidia+pytorch+25.06-py3.sqsh";
        Assert.Equal($"enroot import --output {file}.puces-42-1.0-0badcafe docker://nvcr.io#nvidia/pytorch:25.06-py3", Line(engine.Pull(box)));
        Assert.EndsWith(" docker://library/python:3", Line(engine.Pull(Box(image: "library/python:3"))));
        Assert.Equal($"enroot create --name puces-42-1.0-0badcafe {file}", Line(engine.Create(box)));
        Assert.Equal(
            "enroot start --rw --rc /r/ranks/42-1.0/inside/enter.sh --root --mount /r/jobs/42:/r/jobs/42:none:x-create=dir,rbind,rw --mount /nfs/saved:/nfs/saved:none:x-create=dir,rbind,rw "
            + "--env A puces-42-1.0-0badcafe python train.py",
            Line(engine.Start(box)));
        Assert.Equal("enroot remove --force n", Line(engine.Remove("n")));
    }

    [Fact]
    public void AMD_devices_are_opened_with_the_users_own_groups()
    {
        Assert.Contains("--device /dev/kfd --device /dev/dri --group-add 44 --group-add 109 nvcr.io", Line(new Docker().Create(Box(Amd, user: 1000))));
        Assert.Contains("--device /dev/kfd --device /dev/dri --group-add keep-groups nvcr.io", Line(new Podman().Create(Box(Amd, user: 1000))));
        Assert.Contains("--device /dev/kfd --device /dev/dri nvcr.io", Line(new Docker().Create(Box(Amd))));
        Assert.Contains("--rocm ", Line(new Apptainer().Start(Box(Amd))));
        Assert.Contains("--mount /dev/kfd:/dev/kfd:none:x-create=file,bind,rw --mount /dev/dri:/dev/dri:none:x-create=dir,rbind,rw", Line(new Enroot().Start(Box(Amd))));
    }

    [Fact]
    public void No_value_of_a_variable_stands_in_a_command_line()
    {
        foreach (var engine in Engines.All)
            foreach (var box in (Box[])[Box(value: "s3cret"), Box(value: "s3cret\nof two lines")])
                foreach (var words in (IReadOnlyList<string>?[])[engine.Has(box), engine.Pull(box), engine.Create(box), engine.Start(box)])
                    Assert.DoesNotContain("s3cret", Line(words ?? []));
    }

    [Fact]
    public void A_value_of_several_lines_comes_by_the_programs_own_environment()
    {
        var box = Box(value: "1\n2");
        Assert.Contains(" --env A ", Line(new Docker().Create(box)));
        Assert.Equal([new("A", "1\n2")], new Docker().ForProgram(box));
        Assert.Empty(new Docker().VariableLines(box));
    }
}
