using System.Globalization;
using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

/// <summary>The strict policies on published traces, beside an independent simulator.</summary>
public sealed class StrictReplayTests
{
    private static readonly string[] Pools = ["itp_cluster02.n16", "itp_cluster03.n24", "itp_cluster05.n2", "itp_cluster07.n40", "itp_cluster08.n12"];
    private static readonly string[] Policies = ["fifo", "sjf", "srsf"];

    public static TheoryData<string> Names => [.. Pools.SelectMany(p => Policies.Select(n => $"{p}.{n}"))];

    [Theory, MemberData(nameof(Names))]
    public void Every_job_starts_and_ends_when_the_reference_says(string name)
    {
        var parts = name.Split('.');
        var answers = Golden.Answers(name);
        var jobs = Golden.Trace(parts[0]);
        var told = Replays.Run(parts[2], jobs, [new(int.Parse(parts[1].AsSpan(1), CultureInfo.InvariantCulture), 8)], ReplayCosts.Default);
        Assert.Equal(answers.Select(a => (a.Job, a.Start, a.End)), jobs.Select((j, i) => (j.Id, Text(told.Starts[i]), Text(told.Ends[i]))));
    }

    private static string Text(TimeSpan time) => time.TotalSeconds.ToString(CultureInfo.InvariantCulture);
}
