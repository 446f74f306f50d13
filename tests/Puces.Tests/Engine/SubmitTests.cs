using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

public sealed class SubmitTests
{
    private static readonly IdempotencyKey Key = new(new(1, 2), 3);
    private readonly Cluster _cluster = new();

    [Fact]
    public void A_job_waits_until_a_node_is_there()
    {
        var answer = _cluster.Submit(Cluster.Asking("train", gpus: 2));
        Assert.Null(answer.Error);
        Assert.False(answer.IsRepeat);
        Assert.Equal(new JobId(1), answer.Id);
        Assert.IsType<JobState.Queued>(answer.Job!.State);
        Assert.Empty(_cluster.TakeEffects());
        _cluster.Node("office/a", gpus: 2);
        Assert.IsType<JobState.Starting>(_cluster[answer.Id!.Value].State);
        Assert.Equal(new AttemptId(new(1), 1), Assert.Single(_cluster.TakeEffects().OfType<Effect.Start>()).Attempt);
    }

    [Fact]
    public void Numbers_count_from_one_and_are_never_given_twice()
    {
        Assert.Equal(new JobId(1), _cluster.Submit());
        _cluster.Cancel(new(1));
        Assert.Equal(new JobId(2), _cluster.Submit());
        _cluster.Cancel(new(2));
        _cluster.Restart();
        Assert.Equal(new JobId(3), _cluster.Submit());
    }

    [Fact]
    public void The_same_key_with_the_same_body_is_the_same_job()
    {
        var first = _cluster.Submit(Cluster.Asking(), Key);
        var again = _cluster.Submit(Cluster.Asking(), Key);
        Assert.Equal(first.Id, again.Id);
        Assert.True(again.IsRepeat);
        Assert.Empty(_cluster.Last.Changes);
        Assert.Single(_cluster.World.Jobs);
    }

    [Fact]
    public void The_same_key_twice_in_one_call_is_one_job()
    {
        var submit = new Command.Submit(Cluster.Asking(), "{}"u8.ToArray(), Key);
        var answers = _cluster.Apply(submit, submit);
        Assert.Equal([false, true], answers.Select(a => a.IsRepeat));
        Assert.Equal(answers[0].Id, answers[1].Id);
        Assert.Single(_cluster.World.Jobs);
    }

    [Fact]
    public void A_key_is_remembered_when_its_job_has_ended()
    {
        var id = _cluster.Submit(Cluster.Asking(), Key).Id!.Value;
        _cluster.Cancel(id);
        var again = _cluster.Submit(Cluster.Asking(), Key);
        Assert.Equal((id, true, null), (again.Id!.Value, again.IsRepeat, again.Job));
    }

    [Fact]
    public void The_same_key_with_another_body_is_refused()
    {
        _cluster.Submit(Cluster.Asking(), Key);
        var other = _cluster.Submit(Cluster.Asking("other"), Key with { Body = 4 });
        Assert.Equal("this Idempotency-Key was used for another request (job 1); use a new one", other.Error);
        Assert.Single(_cluster.World.Jobs);
    }

    [Fact]
    public void A_key_is_forgotten_after_its_life()
    {
        _cluster.Submit(Cluster.Asking(), Key);
        _cluster.After(World.KeyLife);
        Assert.True(_cluster.Submit(Cluster.Asking(), Key).IsRepeat);
        _cluster.After(TimeSpan.FromTicks(1));
        Assert.Equal(new JobId(2), _cluster.Submit(Cluster.Asking(), Key).Id);
    }

    [Fact]
    public void A_key_outlives_the_daemon()
    {
        _cluster.Submit(Cluster.Asking(), Key);
        _cluster.Restart();
        Assert.True(_cluster.Submit(Cluster.Asking(), Key).IsRepeat);
        Assert.NotNull(_cluster.Submit(Cluster.Asking(), Key with { Body = 4 }).Error);
    }

    [Fact]
    public void A_job_keeps_what_was_asked()
    {
        var retry = new Retry(3, TimeSpan.FromSeconds(5), [9]);
        var job = _cluster[_cluster.Submit("train", gpus: 2, priority: 100, retry: retry)];
        Assert.Equal(("train", "default", "ada", 100, retry, _cluster.Now), (job.Name, job.Project, job.Owner, job.Priority, job.Retry, job.Submitted));
        Assert.Equal("H100:2", job.Request.ToString());
        Assert.Equal((0, 0, 0), (job.Attempts, job.Failures, job.Refusals));
    }
}
