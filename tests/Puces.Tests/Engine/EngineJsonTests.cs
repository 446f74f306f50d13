using System.Text.Json;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>The stored form is a promise to every later version: a test that changes here needs a migration.</summary>
public sealed class EngineJsonTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_job_is_short_and_its_computed_members_are_left_out()
    {
        var held = new Allocation([new("local/a", [0, 1], 2000, new(1L << 30))]);
        var request = new Request([new(2, null, new(new Memory(80_000_000_000), null), null, ["amd"])], 1, 0, default, []);
        var job = new Job(
            new(42), "é <train> 'it'", "text", "ada", 0, request, Retry.None, Noon, new JobState.Stopping(held, Noon, null, StopReason.RankLost), Attempts: 1);
        const string Expected = """
            {"id":42,"name":"é <train> 'it'","project":"text","owner":"ada","priority":0,
            "request":{"gpus":[{"count":2,"vram":{"min":80000000000},"vendors":["amd"]}],"nodes":1,"milliCpus":0,"memory":0,"where":[]},
            "retry":{"count":0,"backoff":"00:00:10","restartCodes":[75]},"submitted":"2026-03-01T12:00:00+00:00",
            "state":{"$type":"stopping","allocation":{"shares":[{"node":"local/a","devices":[0,1],"milliCpus":2000,"memory":1073741824}]},
            "since":"2026-03-01T12:00:00+00:00","reason":"RankLost"},"attempts":1,"failures":0}
            """;
        Assert.Equal(Expected.Replace("\n", "", StringComparison.Ordinal), JsonSerializer.Serialize(job, EngineJson.Stored.Job));
    }

    [Fact]
    public void An_attempt_and_a_pool_are_short()
    {
        Assert.Equal(
            """{"id":"42-1","nodes":["local/a"],"decided":"2026-03-01T12:00:00+00:00","exitCode":0,"cpu":"00:00:01.5000000"}""",
            JsonSerializer.Serialize(new(new(new(42), 1), ["local/a"], Noon, ExitCode: 0, Cpu: TimeSpan.FromSeconds(1.5)), EngineJson.Stored.AttemptRecord));
        Assert.Equal(
            """{"name":"trial","provider":"local","nodes":1,"gpus":"H100:8"}""",
            JsonSerializer.Serialize(new("trial", Gpus: "H100:8"), EngineJson.Stored.Pool));
    }

    [Fact]
    public void What_a_later_version_added_is_skipped_and_what_an_earlier_one_did_not_know_has_its_default()
    {
        var pool = JsonSerializer.Deserialize("""{"later":{"deep":[1,{}]},"name":"local"}""", EngineJson.Stored.Pool);
        Assert.Equal(new Pool("local"), pool);
    }
}
