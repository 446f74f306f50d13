using System.Text;
using Puces.Cli.JobFiles;
using Puces.Core.Jobs;
using Xunit;

namespace Puces.Tests.Jobs;

public sealed class JobFileReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("puces-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Put(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    private static string Error(string path) => Assert.Single(JobFileReader.Load(path, Overrides.None).Errors).Message;

    private static JobSpec With(string yaml, IReadOnlyList<(string, string)> options, params string[] command)
    {
        var loaded = WrongJobFileTests.Load(yaml, overrides: new(options, command, "/home/ada/here"));
        Assert.Empty(loaded.Errors);
        return loaded.Spec!;
    }

    [Theory]
    [InlineData("puces.yaml", "run: x")]
    [InlineData("puces.yml", "run: x")]
    [InlineData("puces.json", "{\"run\": \"x\"}")]
    public void A_folder_stands_for_the_job_file_in_it(string name, string text)
    {
        Put("train/" + name, text);
        var loaded = JobFileReader.Load(Path.Combine(_folder, "train"), Overrides.None);
        Assert.Equal("train", loaded.Spec?.Name);
        Assert.Equal(Path.Combine(_folder, "train"), loaded.Source.Folder);
    }

    [Fact]
    public void A_file_that_cannot_be_a_job_file_is_refused_in_words()
    {
        Assert.Equal("there is no such file or folder; give a job file, or a folder that holds puces.yaml", Error(Path.Combine(_folder, "none")));
        Assert.Equal("the folder holds no job file; write puces.yaml, or name another file", Error(_folder));
        Put("puces.yaml", "run: x");
        Put("puces.json", "{}");
        Assert.Equal("the folder holds puces.yaml and puces.json; name the one that is meant", Error(_folder));
        Assert.Equal("is larger than 1 MiB; that is no job file", Error(Put("large.yaml", new string('#', (1 << 20) + 1))));
        Assert.Equal("the file is empty; write at least run: and what to run", Error(Put("empty.yaml", "")));
        File.WriteAllBytes(Path.Combine(_folder, "latin.yaml"), [.. "run: caf"u8, 0xE9]);
        Assert.Equal("is not UTF-8; save it as UTF-8", Error(Path.Combine(_folder, "latin.yaml")));
        File.WriteAllText(Path.Combine(_folder, "wide.yaml"), "run: x", Encoding.Unicode);
        Assert.Equal("is UTF-16; save it as UTF-8", Error(Path.Combine(_folder, "wide.yaml")));
        Assert.Equal("names no job file; give a file, or a folder that holds puces.yaml", Error(""));
    }

    [Fact]
    public void A_device_without_end_is_read_no_further_than_the_limit()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("there is no /dev/zero here");
        Assert.Equal("is larger than 1 MiB; that is no job file", Error("/dev/zero"));
    }

    [Fact]
    public void Options_win_over_the_file()
    {
        var spec = With("gpus: 1\nnodes: 4\nenv: {A: 0, B: 2}\nsecrets: [S]\nretries: {count: 1, backoff: 5s}\nrun: x\n",
            [("--gpus", "H100:8"), ("--nodes", "2"), ("--env", "A=1"), ("--env", "C=x=y"), ("--secret", "T"), ("--retries", "3"),
                ("--checkpoint-grace", "2m"), ("--where", "eu,office"), ("--workdir", "src")], "python", "train.py", "--lr=1");
        Assert.Equal("2 × H100:8", Request.Of(spec).ToString());
        Assert.Equal(["A=1", "B=2", "C=x=y"], spec.Env!.Select(e => $"{e.Key}={e.Value}").Order());
        Assert.Equal(["S", "T"], spec.Secrets!);
        Assert.Equal((3, TimeSpan.FromSeconds(5)), (spec.Retries!.Count, spec.Retries.Backoff));
        Assert.Equal(TimeSpan.FromMinutes(2), spec.Checkpoint!.Grace);
        Assert.Equal(["eu", "office"], spec.Where!);
        Assert.Equal("/home/ada/here/src", spec.Workdir);
        Assert.Equal(["python", "train.py", "--lr=1"], spec.Run.Arguments!);
    }

    [Fact]
    public void Options_win_over_variables_that_the_file_has_in_a_list() =>
        Assert.Equal(["B=2", "A=1"], With("env: [A=0, B=2]\nrun: x\n", [("--env", "A=1")]).Env!.Select(e => $"{e.Key}={e.Value}"));

    [Fact]
    public void A_need_may_stand_on_the_command_line() =>
        Assert.Equal("8 devices with 80GB+ or A100:8", Request.Of(With("run: x\n", [("--gpus", "{vram: 80GB+, count: 8}"), ("--gpus", "A100:8")])).ToString());

    [Fact]
    public void No_work_directory_can_be_asked_for() => Assert.Null(With("run: x\n", [("--workdir", "none")]).Workdir);

    [Fact]
    public void A_wrong_option_is_named_instead_of_a_line()
    {
        var loaded = WrongJobFileTests.Load("memory: 80\nrun: x\n", overrides: new([("--memory", "16G"), ("--env", "A"), ("--nodes", "0"), ("--gpus", "{vram: 80}")], null, "."));
        Assert.Equal("""
            --env: 'A' has no value; write --env NAME=VALUE
            --memory: '16G' has no unit that is known; write 16GB or 16GiB
            --nodes: 0 is too small; write a whole number from 1 to 4096
            --gpus: 80 has no unit; write 80GB or 80GiB

            """, JobFileErrors.Render(loaded.Source, loaded.Errors, colour: false));
    }

    [Fact]
    public void A_job_may_stand_on_the_command_line_alone()
    {
        var loaded = JobFileReader.FromCommandLine(_folder, new([("--gpus", "1")], ["/usr/bin/nvidia-smi", "-L"], _folder));
        Assert.Equal(("nvidia-smi", _folder), (loaded.Spec?.Name, loaded.Source.Folder));
        var wrong = JobFileReader.FromCommandLine(_folder, new([("--gpus", "x:y")], null, _folder));
        Assert.Equal(["--gpus", "run"], wrong.Errors.Select(e => e.Path));
    }

    [Fact]
    public void Errors_show_the_line_with_a_caret_and_no_control_characters()
    {
        var loaded = WrongJobFileTests.Load("run: x\nenv:\n  A: [\"\u202e\"]\n  \"B\\e[31m\": 1\n");
        Assert.Equal("""
            puces.yaml:3:6: env.A: takes one value; write A: "a text"
             3 |   A: ["·"]
               |      ^
            puces.yaml:4:3: env['B\u001b[31m']: 'B\u001b[31m' is not the name of a variable; write letters, digits and '_', not starting with a digit
             4 |   "B\e[31m": 1
               |   ^

            """, JobFileErrors.Render(loaded.Source, loaded.Errors, colour: false));
        Assert.Contains("\u001b[1;31m^\u001b[0m", JobFileErrors.Render(loaded.Source, loaded.Errors, colour: true));
    }

    [Fact]
    public void A_long_line_is_cut_around_the_mistake()
    {
        var loaded = WrongJobFileTests.Load($"env: {{A: {new string('a', 300)}, 1B: x}}\nrun: x\n");
        var lines = JobFileErrors.Render(loaded.Source, loaded.Errors, colour: false).Split('\n');
        Assert.InRange(lines[1].Length, 40, 120);
        Assert.Equal('1', lines[1][lines[2].IndexOf('^')]);
    }

    [Fact]
    public void Validate_says_what_is_asked_for_or_what_is_wrong()
    {
        var right = Put("train.yaml", "gpus: H100:8\nnodes: 2\nrun: x\n");
        Assert.Equal(0, JobFileCommand.Validate(right, json: false, colour: false, out var text));
        Assert.Equal($"{right} is in order: train asks for 2 × H100:8\n", text);
        Assert.Equal(0, JobFileCommand.Validate(right, json: true, colour: false, out text));
        Assert.Equal("[]\n", text);
        var wrong = Put("wrong.yaml", "nodes: 0\nrun: x\n");
        Assert.Equal(1, JobFileCommand.Validate(wrong, json: true, colour: false, out text));
        Assert.Equal("""[{"path":"nodes","message":"0 is too small; write a whole number from 1 to 4096","line":1,"column":8}]""" + "\n", text);
    }
}
