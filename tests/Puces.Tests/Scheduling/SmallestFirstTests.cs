using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>The policy of <c>docs/write-a-policy.md</c>, and how its page tests it.</summary>
public sealed class SmallestFirstTests
{
    [Fact]
    public void The_smallest_goes_first_and_a_day_of_waiting_before_that()
    {
        var (hour, one) = (TimeSpan.FromHours(1), new NodeGroup(1, 8));
        TraceJob[] jobs =
        [
            new("holds", default, 25 * hour, 8000), new("large", hour / 2, hour, 8000), new("small", 2 * hour, hour, 1000), new("late", 24 * hour, hour, 1000),
        ];
        var told = Replayer.Run(jobs, [one], new SmallestFirst(), ReplayCosts.None);
        Assert.Equal([0, 25, 26, 26], told.Starts.Select(s => s.TotalHours));
        var sooner = Replayer.Run([jobs[0] with { Duration = 20 * hour }, jobs[1], jobs[2]], [one], new SmallestFirst(), ReplayCosts.None);
        Assert.Equal([0, 21, 20], sooner.Starts.Select(s => s.TotalHours));
    }

    [Fact]
    public void The_page_shows_it_as_it_is()
    {
        var file = Checkout.Read("tests/Puces.Tests/Scheduling/SmallestFirst.cs");
        Assert.Contains(file[file.IndexOf("/// <summary>", StringComparison.Ordinal)..], Checkout.Read("docs/write-a-policy.md"), StringComparison.Ordinal);
        var test = Checkout.Read("tests/Puces.Tests/Scheduling/SmallestFirstTests.cs");
        foreach (var line in Checkout.Read("docs/write-a-policy.md").Split("```csharp\n")[^1].Split("```")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            Assert.Contains(line, test, StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_names_every_question_that_a_policy_answers()
    {
        var page = Checkout.Read("docs/write-a-policy.md");
        Assert.All(typeof(IPolicy).GetMembers().Where(m => !m.Name.StartsWith("get_", StringComparison.Ordinal)), m => Assert.Contains($"`{m.Name}", page, StringComparison.Ordinal));
    }
}
