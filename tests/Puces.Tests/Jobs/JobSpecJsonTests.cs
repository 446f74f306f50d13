using System.Text;
using System.Text.Json;
using CsCheck;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Xunit;

namespace Puces.Tests.Jobs;

public sealed class JobSpecJsonTests
{
    [Fact]
    public void A_spec_written_as_json_is_read_back_equal() =>
        JobSpecs.Any.Sample(spec => JobSpecs.Same(spec, JobSpecJson.Read(JobSpecJson.Write(spec))), iter: 5_000);

    [Fact]
    public void A_spec_written_as_json_is_read_back_equal_by_the_yaml_reader_too() =>
        JobSpecs.Any.Sample(spec =>
        {
            var yaml = Encoding.UTF8.GetString(JobSpecJson.Write(spec with { Workdir = spec.Workdir ?? "." }));
            var loaded = WrongJobFileTests.Load(yaml).Spec;
            return loaded is not null && JobSpecs.Same(spec with { Workdir = spec.Workdir ?? "." }, loaded);
        }, iter: 1_000);

    [Fact]
    public void A_spec_inside_a_request_is_read_back_equal() => JobSpecs.Any.Sample(spec =>
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(new SubmitJobs([new(spec, "ada")]), ContractJson.Default.SubmitJobs);
        return JobSpecs.Same(spec, JsonSerializer.Deserialize(json, ContractJson.Default.SubmitJobs)!.Jobs[0].Spec);
    }, iter: 1_000);

    [Fact]
    public void The_json_of_a_spec_is_a_short_job_file()
    {
        var spec = new JobSpec("train", new(Arguments: ["python", "train.py"]), [new(8, "H100"), new(4, null, new(new Memory(80_000_000_000), null))], 2,
            Limit: TimeSpan.FromHours(24), Retries: new(3, null, [75]));
        Assert.Equal(
            """{"name":"train","gpus":["H100:8",{"vram":"80GB+","count":4}],"nodes":2,"limit":"1d","run":["python","train.py"],"retries":{"count":3,"restart_codes":[75]}}""",
            Encoding.UTF8.GetString(JobSpecJson.Write(spec)));
    }

    [Fact]
    public void A_wrong_spec_in_a_request_throws_its_errors_with_their_place_in_the_request()
    {
        var json = """{"jobs":[{"spec":{"name":"a","run":"x"}},{"spec":{"name":"b","run":"x","gpu":1,"memory":"80"}}]}""";
        var thrown = Assert.Throws<JobFileException>(() => JsonSerializer.Deserialize(json, ContractJson.Default.SubmitJobs));
        Assert.Equal(
            [new FieldError("jobs[1].spec", "unknown key 'gpu'; did you mean 'gpus'?"), new FieldError("jobs[1].spec.memory", "80 has no unit; write 80GB or 80GiB")],
            thrown.ErrorsInRequest());
    }

    [Fact]
    public async Task A_request_that_arrives_in_pieces_is_read_as_one()
    {
        var jobs = new SubmitJobs([.. Enumerable.Range(1, 500).Select(i => new SubmitJob(new JobSpec($"job-{i}", new("x"), Nodes: i)))]);
        var json = JsonSerializer.SerializeToUtf8Bytes(jobs, ContractJson.Default.SubmitJobs);
        var pipe = System.IO.Pipelines.PipeReader.Create(new MemoryStream(json), new(bufferSize: 31));
        var read = await JsonSerializer.DeserializeAsync(pipe, ContractJson.Default.SubmitJobs, TestContext.Current.CancellationToken);
        Assert.Equal(jobs.Jobs.Select(j => j.Spec.Nodes), read!.Jobs.Select(j => j.Spec.Nodes));
    }

    [Theory]
    [InlineData("", "1:1: the file is empty; write at least run: and what to run")]
    [InlineData("{\"run\":\"x\",}", "1:12: this is not JSON: The JSON object contains a trailing comma at the end which is not supported in this mode. Change the reader options")]
    [InlineData("{\"run\":\"x\"} {}", "1:13: this is not JSON: '{' is invalid after a single JSON value. Expected end of data")]
    [InlineData("[1]", "1:1: a job file is made of keys and values, such as run: python train.py")]
    [InlineData("{\n  \"run\": \"x\",\n  \"é\": 1, \"nodes\": 0}", "3:20: nodes: 0 is too small; write a whole number from 1 to 4096")]
    public void Mistakes_in_json_are_named_with_line_and_column(string json, string expected)
    {
        var errors = WrongJobFileTests.Load(json, "puces.json").Errors;
        Assert.Contains(expected, errors.Select(e => $"{e.Line}:{e.Column}: {(e.Path.Length > 0 ? e.Path + ": " : "")}{e.Message}"));
    }

    [Fact]
    public void Each_of_twenty_thousand_specs_in_one_request_is_read_in_six_kilobytes()
    {
        var spec = new JobSpec("sweep-17", new(Arguments: ["python", "train.py", "--lr", "0.001"]), [new(1, "H100")], Cpus: 4, Memory: new(16L << 30),
            Limit: TimeSpan.FromHours(2), Env: new Dictionary<string, string> { ["SEED"] = "17", ["WANDB_MODE"] = "offline" }, Retries: new(3));
        var json = JsonSerializer.SerializeToUtf8Bytes(new SubmitJobs([.. Enumerable.Repeat(new SubmitJob(spec, "ada"), 20_000)]), ContractJson.Default.SubmitJobs);
        JsonSerializer.Deserialize(json, ContractJson.Default.SubmitJobs);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(20_000, JsonSerializer.Deserialize(json, ContractJson.Default.SubmitJobs)!.Jobs.Count);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(bytes / 20_000, 0, 6_000);
    }
}
