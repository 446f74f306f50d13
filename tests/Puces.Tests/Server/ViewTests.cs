using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Puces.Server.Control;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Server;

/// <summary>What people are told of those who wait, in small worlds.</summary>
public sealed class ViewTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly Cluster _cluster = new();
    private readonly Outlook _outlook;
    private View _view;

    public ViewTests()
    {
        _outlook = new(new Clock(_cluster));
        _view = View.Empty with { Outlook = _outlook };
    }

    private sealed class Clock(Cluster cluster) : TimeProvider
    {
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
        public override long GetTimestamp() => cluster.Now.Ticks;
        public override DateTimeOffset GetUtcNow() => cluster.Now;
    }

    private void Seen()
    {
        _view = _view.After(_cluster.Last);
        _outlook.Note(_cluster.Last);
    }

    private void Node(string id, int gpus, string model = "H100", int cpus = 16)
    {
        _cluster.Node(id, gpus, model, cpus);
        Seen();
    }

    /// <summary>Sent, and running if it was started.</summary>
    private JobId Submit(NewJob job)
    {
        var id = _cluster.Submit(job).Id!.Value;
        Seen();
        foreach (var started in _cluster.World.Jobs.Where(j => j.State is JobState.Starting).ToList())
            for (var rank = 0; rank < started.State.Held!.Shares.Count; rank++)
            {
                _cluster.Runs(started.Id, rank);
                Seen();
            }
        return id;
    }

    private void After(TimeSpan time)
    {
        _cluster.After(time);
        Seen();
    }

    private void Ends(JobId job, Verdict? verdict = null)
    {
        _cluster.Exits(job, 0, verdict ?? _cluster.Verdict());
        Seen();
    }

    private WhyView Why(JobId job) => _view.Why(_view.Live[job]);

    private static NewJob Asking(string name, int gpus, TimeSpan expected, int nodes = 1) => Cluster.Asking(name, gpus, nodes: nodes) with { Expected = expected };

    /// <summary>Two nodes of four, one job on each; a gang waits for both, and what is free of the first is kept for it.</summary>
    private JobId Reserved()
    {
        Node("p/a", 4);
        Node("p/b", 4);
        for (var i = 0; i < 8; i++)
        {
            var before = Submit(Cluster.Asking("long", 4));
            After(120 * Minute);
            Ends(before);
        }
        Submit(Cluster.Asking("long", 4));
        var brief = Submit(Asking("brief", 4, 30 * Minute));
        var gang = Submit(Cluster.Asking("gang", 4, nodes: 2, priority: 5));
        After(Minute);
        Ends(brief);
        return gang;
    }

    [Fact]
    public void One_for_which_nodes_are_kept_says_which_and_from_when()
    {
        var why = Why(Reserved());
        Assert.Matches(@"^1st of 1 in line; needs 2 × H100:4; 1 node of 2 could take a part now; p/b, p/a are kept for it, from about \d\d:\d\d UTC; starts in about ", why.Text);
    }

    [Fact]
    public void One_that_would_fit_on_what_is_kept_for_another_says_so_and_what_would_let_it_there()
    {
        var gang = Reserved();
        var small = Submit(Cluster.Asking("small", 2));
        var why = Why(small);
        Assert.Equal("queued", why.Job.State);
        Assert.Matches($@"^would fit now, on devices that are kept for job {gang} from about \d\d:\d\d UTC$", why.Job.Reason!);
        Assert.Equal($"what is kept for job {gang} would do until that starts: add checkpoint, so that it can leave and go on later", why.Hints[0]);
        Assert.Matches($@"^what is kept for job {gang} is free until about \d\d:\d\d UTC: add a limit of at most 1\d\d min$", why.Hints[1]);
    }

    [Fact]
    public void A_job_on_which_a_checkpoint_was_put_starts_where_the_hint_said()
    {
        Reserved();
        var guest = Submit(Cluster.Asking("small", 2) with { CanYield = true });
        Assert.IsType<JobState.Running>(_view.Live[guest].State);
    }

    [Fact]
    public void A_limit_as_the_hint_says_lets_it_start()
    {
        Reserved();
        var asking = Submit(Cluster.Asking("small", 2));
        var hint = Why(asking).Hints.Single(h => h.Contains("add a limit", StringComparison.Ordinal));
        var minutes = int.Parse(hint.Split(' ')[^2], System.Globalization.CultureInfo.InvariantCulture);
        _cluster.Cancel(asking);
        Seen();
        var guest = Submit(Cluster.Asking("small", 2) with { Limit = minutes * Minute });
        Assert.IsType<JobState.Running>(_view.Live[guest].State);
    }

    [Fact]
    public void Who_leaves_its_devices_and_who_gets_them_both_say_so()
    {
        Node("p/a", 1);
        for (var i = 0; i < 20; i++)
        {
            var job = Submit(Cluster.Asking("brief", 1));
            After(6 * Minute);
            Ends(job);
        }
        var victim = Submit(Cluster.Asking("long", 1) with { CanYield = true });
        After(TimeSpan.FromHours(6));
        var brief = Submit(Cluster.Asking("brief", 1));
        After(10 * Minute);
        Assert.Equal($"saves, and leaves its devices to job {brief}, which is likely to end sooner", Why(victim).Text);
        Assert.Equal($"job {victim} saves, and leaves its devices to it", Why(brief).Job.Reason);
        Ends(victim, _cluster.Verdict(143, ExitCause.Stopped));
        Assert.StartsWith($"left its devices to job {brief}, and waits to go on: needs 1 H100", Why(victim).Job.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Estimates_are_held_against_what_came()
    {
        Node("p/a", 1);
        var first = Submit(Asking("one", 1, 60 * Minute));
        var waiting = Submit(Asking("two", 1, 60 * Minute));
        Assert.Null(Why(waiting).Estimates);
        Assert.NotNull(Why(waiting).Job.Estimate);
        After(70 * Minute);
        Ends(first);
        var last = Submit(Asking("three", 1, 60 * Minute));
        Assert.Equal(new(1, 1, 600), Why(last).Estimates);
        After(300 * Minute);
        Ends(waiting);
        Assert.Equal(new(2, 1, 14400), Why(Submit(Asking("four", 1, 60 * Minute))).Estimates);
    }

    [Fact]
    public void A_pool_says_how_what_is_free_lies_and_what_would_start()
    {
        Node("p/a", 4);
        Node("p/b", 4);
        Submit(Cluster.Asking("one", 1));
        var gap = Assert.Single(Gaps());
        Assert.Equal(new("H100", 8, 7, 0.429, 4, 2, 3), gap);

        IReadOnlyList<GapView> Gaps() => (_view with { Pools = _view.Pools.Add("p", new("p")) }).ShowPools().Pools[0].Gaps!;
    }

    [Fact]
    public void A_long_line_is_not_foreseen_for_each_view_and_whoever_came_since_stands_at_the_end()
    {
        Node("p/a", 1);
        _cluster.Apply([.. Enumerable.Repeat(new Command.Submit(Cluster.Asking("job", 1), "{}"u8.ToArray()), 2002)]);
        Seen();
        var before = _view.Forecast;
        var urgent = Submit(Cluster.Asking("urgent", 1, priority: 9));
        Assert.Equal(2002, _view.Forecast.PositionOf(urgent));
        Assert.Equal(before.At, _view.Forecast.At);
        Assert.Equal(2002, _view.Show(_view.Live[urgent]).Position);
    }

    [Fact]
    public void A_short_line_is_always_as_it_is()
    {
        Node("p/a", 1);
        for (var i = 0; i < 3; i++) Submit(Cluster.Asking("job", 1));
        Assert.Equal(2, _view.Forecast.Line.Count);
        var urgent = Submit(Cluster.Asking("urgent", 1, priority: 9));
        Assert.Equal(1, _view.Show(_view.Live[urgent]).Position);
    }

    [Fact]
    public void Why_says_that_a_pool_with_a_line_of_its_own_is_closed_or_closes_too_soon()
    {
        _outlook.Pool = _ => new(null, [new("gpu", "H100", 4, 64_000, new(256_000_000_000), 8, 32, 8, _cluster.Now)]);
        Apply(new Command.SetPool(new("jean", "slurm")));
        Apply(new Command.PoolOpened("jean"));
        _cluster.Close("jean", 10 * Minute, 60 * Minute, "new switch");
        Seen();
        var job = Submit(Cluster.Asking(gpus: 1) with { Limit = 20 * Minute });
        var from = Moments.Text(_cluster.Now + 10 * Minute);
        Assert.Contains($"pool jean closes {from}, before it would be done: new switch", _view.Why(_view.Live[job]).Text, StringComparison.Ordinal);
        After(11 * Minute);
        Assert.Contains("pool jean is closed until ", _view.Why(_view.Live[job]).Text, StringComparison.Ordinal);

        void Apply(Command command)
        {
            _cluster.Apply(command);
            Seen();
        }
    }
}
