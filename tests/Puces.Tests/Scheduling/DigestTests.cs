using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>What all jobs together tell counts from tick to tick, and the same after a restart.</summary>
public sealed class DigestTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMinutes(5);

    private readonly Shapes _shapes = new();
    private long _number;

    [Fact]
    public void What_a_job_tells_counts_at_once_in_its_project_and_at_the_next_tick_elsewhere()
    {
        var history = new History();
        history.Note(default);
        history.Digest();
        var (alike, other) = (Arrived(history, "vision"), Arrived(history, "speech"));
        var (before, elsewhere) = (History.Remaining(alike, default, 0.5), History.Remaining(other, default, 0.5));
        for (var i = 0; i < 20; i++) End(history, "vision", TimeSpan.FromHours(2));
        Assert.True(History.Remaining(alike, default, 0.5) > before);
        Assert.Equal(elsewhere, History.Remaining(other, default, 0.5));
        history.Note(Tick);
        Assert.Equal(elsewhere, History.Remaining(other, default, 0.5));
        history.Digest();
        Assert.True(History.Remaining(other, default, 0.5) > elsewhere);
    }

    [Fact]
    public void What_ended_since_the_last_tick_counts_as_little_after_a_restart()
    {
        var history = new History();
        for (var i = 0; i < 20; i++) End(history, "vision", TimeSpan.FromMinutes(2));
        history.Note(Tick);
        history.Digest();
        for (var i = 0; i < 20; i++) End(history, "vision", TimeSpan.FromHours(2));
        var again = new History();
        again.Load(history.TakeLearned().Select(p => (p.Key, p.Value)));
        // The first to ask there asks for the same tick.
        again.Note(Tick);
        again.Digest();
        Assert.Equal(History.Remaining(Arrived(history, "speech"), default, 0.9), History.Remaining(Arrived(again, "speech"), default, 0.9));
        again.Note(2 * Tick);
        again.Digest();
        Assert.NotEqual(History.Remaining(Arrived(history, "speech"), default, 0.9), History.Remaining(Arrived(again, "speech"), default, 0.9));
    }

    [Fact]
    public void A_note_that_cannot_be_read_says_nothing()
    {
        var history = new History();
        history.Load([("*", "soon 1:x/2 3:1 4:-1/2 99999:1/1 5:1/")]);
        Assert.Equal(History.Remaining(Arrived(new(), "vision"), default, 0.5), History.Remaining(Arrived(history, "vision"), default, 0.5));
    }

    private Claim Arrived(History history, string project)
    {
        var claim = new Claim { Number = ++_number, Shape = _shapes.Of(1000, "", 0, default, [8]), Project = project };
        history.Arrive(claim);
        return claim;
    }

    private void End(History history, string project, TimeSpan worked) => history.End(Arrived(history, project), worked);
}
