using Puces.Core.Engine;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>What one call gives: answers in order, each record once, events without gaps.</summary>
public sealed class OutcomeTests
{
    private static readonly ReadOnlyMemory<byte> Spec = """{"name":"x"}"""u8.ToArray();
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4);

    [Fact]
    public void Answers_stand_in_the_order_of_their_commands()
    {
        var answers = _cluster.Apply(new Command.Submit(Cluster.Asking("a"), Spec), new Command.Tick(), new Command.Cancel(new(9), "ada"), new Command.Submit(Cluster.Asking("b"), Spec));
        Assert.Equal(["a", null, null, "b"], answers.Select(a => a.Job?.Name));
        Assert.Equal([null, null, "job 9 is not live", null], answers.Select(a => a.Error));
        Assert.Same(Answer.Taken, answers[1]);
    }

    [Fact]
    public void Of_several_changes_to_a_job_the_last_is_stored_with_the_spec_and_key_of_the_first()
    {
        var key = new IdempotencyKey(new(1, 2), 3);
        _cluster.Apply(new Command.Submit(Cluster.Asking(gpus: 1), Spec, key), new Command.Started(new(new(1), 1), 0, "office/a", _cluster.Now));
        var set = Assert.Single(_cluster.Last.Changes.OfType<Change.JobSet>());
        Assert.Equal(("starting", Spec, key), (set.Job.State.Word, set.Spec!.Value, set.Key!.Value));
        Assert.Equal([new Change.AttemptSet(_cluster.Attempt(new(1)))], _cluster.Last.Changes.OfType<Change.AttemptSet>());
    }

    [Fact]
    public void Of_several_changes_to_an_attempt_the_last_is_stored()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Apply(
            new Command.Started(new(id, 1), 0, "office/a", _cluster.Now), new Command.Checkpointed(new(id, 1), "step-1"), new Command.Exited(new(id, 1), 0, "office/a", _cluster.Verdict()));
        Assert.Equal((0, "step-1"), Assert.Single(_cluster.Last.Changes.OfType<Change.AttemptSet>()).Attempt is var a ? (a.ExitCode, a.Checkpoint) : default);
        var set = Assert.Single(_cluster.Last.Changes.OfType<Change.JobSet>());
        Assert.Equal(("succeeded", null, null), (set.Job.State.Word, set.Spec, set.Key));
        Assert.Equal(["running", "checkpoint", "ended"], _cluster.Last.Events.Select(e => e.Kind));
    }

    [Fact]
    public void A_job_that_comes_and_goes_in_one_call_is_stored_once()
    {
        _cluster.Apply(new Command.Submit(Cluster.Asking(), Spec), new Command.Cancel(new(1), "ada"));
        var set = Assert.IsType<Change.JobSet>(Assert.Single(_cluster.Last.Changes));
        Assert.Equal(("cancelled", Spec), (set.Job.State.Word, set.Spec!.Value));
    }

    [Fact]
    public void Events_are_numbered_from_one_without_gaps()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(1, TimeSpan.Zero, []));
        _cluster.Runs(id).Exits(id, 1).After(TimeSpan.Zero).Down("office/a").Back("office/a");
        _cluster.Cancel(id);
        _cluster.Submit(gpus: 9);
        var events = _cluster.Store.Events;
        Assert.True(events.Count > 8);
        Assert.Equal(Enumerable.Range(1, events.Count).Select(i => (long)i), events.Select(e => e.Seq));
    }

    [Fact]
    public void An_event_about_a_job_names_it_and_its_project()
    {
        var id = _cluster.Submit(gpus: 1);
        Assert.Equal(["submitted", "started"], _cluster.Last.Events.Select(e => e.Kind));
        Assert.All(_cluster.Last.Events, e => Assert.Equal((id, "default", _cluster.Now), (e.Job!.Value, e.Project, e.At)));
        Assert.Equal("job 1 (job) starts on office/a [0]", _cluster.Last.Events[1].Text);
    }

    [Fact]
    public void Waiting_costs_no_writes()
    {
        _cluster.Submit(gpus: 9);
        for (var i = 0; i < 10; i++)
        {
            _cluster.After(TimeSpan.FromHours(1));
            Assert.Empty(_cluster.Last.Changes);
            Assert.Empty(_cluster.Last.Events);
            Assert.Null(_cluster.Last.NextTick);
        }
    }

    [Fact]
    public void A_secret_passes_through_untouched()
    {
        _cluster.Apply(new Command.SetSecret("TOKEN", Spec), new Command.SetSecret("OLD", null));
        Assert.Equal([new Change.SecretSet("TOKEN", Spec, _cluster.Now), new Change.SecretSet("OLD", null, _cluster.Now)], _cluster.Last.Changes);
        Assert.Empty(_cluster.Last.Events);
    }

    [Fact]
    public void The_same_commands_give_the_same_outcomes()
    {
        static IReadOnlyList<FeedEvent> Live()
        {
            var cluster = new Cluster().Node("office/a", gpus: 4).Node("office/b", gpus: 2);
            var (one, two) = (cluster.Submit(gpus: 2, nodes: 2), cluster.Submit(gpus: 2));
            cluster.Runs(one, 0, 1).Exits(one, 3, rank: 1).Exits(one, 0, rank: 0).Runs(two);
            return cluster.Store.Events;
        }
        Assert.Equal(Live(), Live());
    }
}
