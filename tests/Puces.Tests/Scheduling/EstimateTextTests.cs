using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>How estimates are said.</summary>
public sealed class EstimateTextTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(10, 21, 62, "starts in about 20 min (10 min to 1 h)", "~20m")]
    [InlineData(0, 0, 0, "starts in less than a minute", "<1m")]
    [InlineData(0, 3, 4, "starts in about 3 min (less than a minute to 4 min)", "~3m")]
    [InlineData(88, 92, 91, "starts in about 1 h 30 min", "~1h30m")]
    [InlineData(30, 100, -1, "starts in about 1 h 40 min (30 min or later)", "~1h40m")]
    [InlineData(180, -1, -1, "starts in 3 h or later", ">3h")]
    [InlineData(3000, 3000, 3200, "starts in about 2 d 3 h (2 d 3 h to 2 d 6 h)", "~2d3h")]
    [InlineData(-5, -3, 4, "starts in less than a minute (less than a minute to 4 min)", "<1m")]
    public void An_estimate_is_no_nearer_than_anybody_could_know(int from, int expected, int to, string text, string brief)
    {
        var estimate = new Core.Engine.Estimate(Now.AddMinutes(from), to < 0 ? null : Now.AddMinutes(to), expected == -1 ? null : Now.AddMinutes(expected));
        Assert.Equal((text, brief), (EstimateText.Starts(estimate, Now), EstimateText.Brief(estimate, Now)));
    }

    [Theory]
    [InlineData(0.9, "1 min")]
    [InlineData(9.9, "10 min")]
    [InlineData(57.6, "1 h")]
    [InlineData(239.9, "4 h")]
    [InlineData(1439, "1 d")]
    [InlineData(4310, "3 d")]
    [InlineData(20000, "14 d")]
    public void Times_are_rounded_to_what_their_length_allows(double minutes, string text) => Assert.Equal(text, EstimateText.About(TimeSpan.FromMinutes(minutes)));
}
