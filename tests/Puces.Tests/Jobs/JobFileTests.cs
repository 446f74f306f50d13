using Puces.Cli.JobFiles;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Xunit;

namespace Puces.Tests.Jobs;

public sealed class JobFileTests
{
    private static readonly Memory Gb80 = new(80_000_000_000);

    private static JobSpec Load(string yaml)
    {
        var loaded = WrongJobFileTests.Load(yaml + "\nrun: x\n");
        Assert.Empty(loaded.Errors);
        return loaded.Spec!;
    }

    [Theory]
    [InlineData("2", "2 devices")]
    [InlineData("\"2\"", "2 devices")]
    [InlineData("H100", "H100:1")]
    [InlineData("h100:8", "H100:8")]
    [InlineData("nvidia h100:8", "H100:8")]
    [InlineData("NVIDIA RTX 4090:2", "RTX-4090:2")]
    [InlineData("{name: amd mi300x, count: 4}", "MI300X:4")]
    [InlineData("{vram: 80GB}", "1 device with 80GB+")]
    [InlineData("{vram: 80GB+, count: 8}", "8 devices with 80GB+")]
    [InlineData("{vram: 40GB..80GB}", "1 device with 40GB to 80GB")]
    [InlineData("{vram: ..24GB}", "1 device with up to 24GB")]
    [InlineData("{bf16: 900+, vendor: [NVIDIA, amd]}", "1 device with 900 TFLOP/s+, by nvidia or amd")]
    [InlineData("{bf16: 300 TFLOP/s}", "1 device with 300 TFLOP/s+")]
    [InlineData("0.5", "0.5 of a device")]
    [InlineData("nvidia l4:0.25", "L4:0.25")]
    [InlineData("{name: A10, count: 0.125}", "A10:0.125")]
    [InlineData("{vram: 40GB+, count: 0.5}", "0.5 of a device with 40GB+")]
    [InlineData("[L4:0.5, H100:0.25, 1]", "L4:0.5 or H100:0.25 or 1 device")]
    [InlineData("[H100:8, {vram: 80GB+, count: 8}, 2]", "H100:8 or 8 devices with 80GB+ or 2 devices")]
    public void Gpus_are_asked_for_by_number_name_or_need(string written, string asked) =>
        Assert.Equal(asked, Request.Of(Load($"gpus: {written}")).ToString());

    [Theory]
    [InlineData("0")]
    [InlineData("none")]
    [InlineData("")]
    [InlineData("[]")]
    public void No_gpus_can_be_said(string written) => Assert.Null(Load($"gpus: {written}").Gpus);

    [Theory]
    [InlineData("90s", 90)]
    [InlineData("30m", 1800)]
    [InlineData("24h", 86400)]
    [InlineData("2d", 172800)]
    [InlineData("1w", 604800)]
    [InlineData("1h30m", 5400)]
    [InlineData("1h 30m", 5400)]
    [InlineData("01:30:00", 5400)]
    [InlineData("2-12:00:00", 216000)]
    public void Durations_have_units(string written, int seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), Load($"limit: {written}").Limit);

    [Theory]
    [InlineData("200 EUR", "200.00 EUR")]
    [InlineData("€200", "200.00 EUR")]
    [InlineData("$49.90", "49.90 USD")]
    [InlineData("200chf", "200.00 CHF")]
    [InlineData("GBP 1.5", "1.50 GBP")]
    public void Budgets_have_a_currency(string written, string money) => Assert.Equal(money, Load($"budget: {written}").Budget.ToString());

    [Theory]
    [InlineData("never", SpotUse.Never)]
    [InlineData("false", SpotUse.Never)]
    [InlineData("no", SpotUse.Never)]
    [InlineData("true", SpotUse.Auto)]
    [InlineData("Auto", SpotUse.Auto)]
    [InlineData("only", SpotUse.Only)]
    public void Spot_is_never_auto_or_only(string written, SpotUse use) => Assert.Equal(use, Load($"spot: {written}").Spot);

    [Theory]
    [InlineData("low", -100)]
    [InlineData("urgent", 500)]
    [InlineData("-1000", -1000)]
    public void Priorities_have_names(string written, int priority) => Assert.Equal(priority, Load($"priority: {written}").Priority);

    [Theory]
    [InlineData("2030-06-01T08:00:00Z")]
    [InlineData("2030-06-01 10:00+02:00")]
    [InlineData("2030-06-01t08:00:00.000z")]
    public void Deadlines_have_a_zone(string written) =>
        Assert.Equal(new DateTimeOffset(2030, 6, 1, 8, 0, 0, TimeSpan.Zero), Load($"deadline: {written}").Deadline);

    [Fact]
    public void Keys_for_anchors_and_for_editors_are_ignored() => Assert.Null(Load("x-anything: [1, {a: b}]\n$schema: puces.schema.json").Gpus);

    [Fact]
    public void Plain_words_stay_what_was_written()
    {
        var spec = Load("name: 007\nwhere: [NO, on, 1e3]\nenv: {A: yes, B: 1.10, C: 012, D: '', E: 'null'}");
        Assert.Equal("007", spec.Name);
        Assert.Equal(["NO", "on", "1e3"], spec.Where!);
        Assert.Equal(["yes", "1.10", "012", "", "null"], spec.Env!.Values);
    }

    [Theory]
    [InlineData("", ".")]
    [InlineData("workdir: src", "src")]
    [InlineData("workdir: none", null)]
    [InlineData("workdir: null", null)]
    [InlineData("workdir:", null)]
    [InlineData("workdir: 'none'", "none")]
    public void The_work_directory_is_the_folder_of_the_file_unless_it_says_otherwise(string yaml, string? workdir) => Assert.Equal(workdir, Load(yaml).Workdir);

    [Fact]
    public void Checkpoints_and_retries_are_read_with_all_their_keys()
    {
        var spec = Load("checkpoint: {path: ckpt, signal: sigusr1, grace: 0s, every: 30m}\nretries: {count: 3, backoff: 30s, restart_codes: 85}");
        Assert.Equal(new CheckpointSpec("ckpt", "USR1", TimeSpan.Zero, TimeSpan.FromMinutes(30)), spec.Checkpoint);
        Assert.Equal([85], spec.Retries!.RestartCodes!);
        Assert.Equal(TimeSpan.FromSeconds(30), spec.Retries.Backoff);
    }

    [Fact]
    public void Merged_keys_give_way_to_those_that_are_written()
    {
        var spec = Load("x-a: &a {A: 1, B: 1}\nx-b: &b {B: 2, C: 2}\nenv:\n  <<: [*a, *b]\n  A: 3");
        Assert.Equal(["A=3", "B=1", "C=2"], spec.Env!.Select(e => $"{e.Key}={e.Value}").Order());
    }

    [Fact]
    public void A_mark_at_the_start_and_windows_line_ends_do_no_harm()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("puces-").FullName, "job.yaml");
        File.WriteAllText(path, "\uFEFFgpus: 2\r\nrun: |\r\n  a\r\n  b\r\n");
        var loaded = JobFileReader.Load(path, Overrides.None);
        Assert.Equal(("job", "a\nb\n"), (loaded.Spec?.Name, loaded.Spec?.Run.Script));
    }

    [Fact]
    public void A_range_of_memory_is_kept_exactly() => Assert.Equal(new Bounds<Memory>(Gb80, null), Load("gpus: {vram: 80GB+}").Gpus![0].Vram);
}
