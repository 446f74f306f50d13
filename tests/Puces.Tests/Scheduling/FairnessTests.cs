using CsCheck;
using Puces.Core.Queues;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Projects in small worlds: who goes first, who borrows, who gives back.</summary>
public sealed class FairnessTests
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    [Fact]
    public void Two_equal_projects_take_turns_within_one_pass_however_many_jobs_one_has()
    {
        var line = new Line(8).Ask("a", 100).Ask("b", 4);
        Assert.Equal(["a", "b", "a", "b", "a", "b", "a", "b"], line.Decide().Select(c => c.Project));
    }

    [Fact]
    public void Twice_the_weight_gets_twice_the_devices()
    {
        var line = new Line(6).Set(new("a", Weight: 2)).Ask("a", 9).Ask("b", 9);
        Assert.Equal((4, 2), Held(line.Decide(), "a", "b"));
    }

    [Fact]
    public void The_project_that_has_used_less_goes_first()
    {
        var line = new Line(1).Ask("a", 1);
        line.Decide();
        line.After(Day).End("a").Ask("a", 1).Ask("b", 1);
        Assert.Equal("b", Assert.Single(line.Decide()).Project);
    }

    [Fact]
    public void What_was_used_long_ago_counts_for_little()
    {
        var line = new Line(1).Ask("a", 1);
        line.Decide();
        line.After(2 * Day).End("a").Decide();
        line.After(30 * Day).Ask("b", 1);
        line.Decide();
        line.After(Day).End("b").Ask("a", 1).Ask("b", 1);
        Assert.Equal("a", Assert.Single(line.Decide()).Project);
    }

    [Fact]
    public void Usage_is_halved_in_seven_days_and_the_closed_form_is_the_sum_of_its_steps()
    {
        Assert.Equal(500, Account.UsageAt(1000, 0, 7 * Day), 9);
        var steps = 0.0;
        for (var i = 0; i < 1000; i++) steps = Account.UsageAt(steps, 8000, Day / 100);
        Assert.Equal(Account.UsageAt(0, 8000, 10 * Day), steps, 1.0);
    }

    [Fact]
    public void A_company_shares_with_a_company_before_a_team_does_with_a_team()
    {
        var line = new Line(8).Ask("lab/a", 9).Ask("lab/b", 9).Ask("firm", 9);
        var starts = line.Decide();
        Assert.Equal((2, 2), Held(starts, "lab/a", "lab/b"));
        Assert.Equal(4, starts.Count(c => c.Project == "firm"));
    }

    [Fact]
    public void What_a_project_does_itself_stands_beside_what_its_teams_do()
    {
        var line = new Line(4).Ask("lab", 9).Ask("lab/a", 9);
        Assert.Equal((2, 2), Held(line.Decide(), "lab", "lab/a"));
    }

    [Fact]
    public void A_fast_device_counts_for_more_than_a_slow_one()
    {
        var line = new Line(1).Node("slow", 1, "T4").Ask("a", 1).Ask("b", 1, model: "T4");
        line.Decide();
        line.After(Day).End("a", "b").Ask("a", 1).Ask("b", 1);
        Assert.Equal("b", Assert.Single(line.Decide()).Project);
    }

    [Fact]
    public void Within_its_quota_a_job_goes_before_a_higher_priority_that_would_borrow()
    {
        var line = new Line(1).Set(new("a", Quota: Owns(1))).Ask("b", 1, priority: 500, canYield: true).Ask("a", 1);
        Assert.Equal("a", Assert.Single(line.Decide()).Project);
    }

    [Fact]
    public void Idle_quota_is_borrowed_by_those_that_can_give_it_back()
    {
        var line = new Line(4).Set(new("a", Quota: Owns(3))).Ask("b", 4, canYield: true);
        Assert.Equal(4, line.Decide().Count);
    }

    [Fact]
    public void One_that_cannot_be_stopped_does_not_borrow_what_another_owns()
    {
        var line = new Line(4).Set(new("a", Quota: Owns(3))).Ask("b", 4);
        Assert.Single(line.Decide());
        Assert.Equal(3, line.Ask("a", 3).Decide().Count);
    }

    [Fact]
    public void One_that_cannot_be_stopped_uses_its_own_company_s_quota()
    {
        var line = new Line(4).Set(new("lab", Quota: Owns(4))).Ask("lab/a", 4).Ask("firm", 1);
        Assert.Equal((4, 0), Held(line.Decide(), "lab/a", "firm"));
    }

    [Fact]
    public void A_lender_gets_its_quota_back_and_the_borrower_keeps_its_own()
    {
        var line = new Line(4).Set(new("a", Quota: Owns(3))).Set(new("b", Quota: Owns(1))).Ask("b", 4, canYield: true);
        line.Decide();
        line.After(TimeSpan.FromMinutes(1)).Ask("a", 4, canYield: true);
        Assert.Equal(3, line.Settle().Count(s => s.Cause == StopCause.Quota));
        Assert.Equal((3, 1), Held(line.Holding, "a", "b"));
        Assert.DoesNotContain(line.After(Day).Settle(), s => s.Cause != StopCause.Sooner);
    }

    [Fact]
    public void A_borrower_is_not_stopped_where_that_would_leave_it_less_than_it_owns()
    {
        var line = new Line(4).Set(new("a", Quota: Owns(2))).Set(new("b", Quota: Owns(2))).Ask("b", 1, gpus: 3, canYield: true);
        line.Decide();
        Assert.Empty(line.Ask("a", 2).Stops());
    }

    /// <summary>Whoever waits within its quota has it as soon as borrowers can give it back; nobody is stopped twice for it.</summary>
    [Fact]
    public void Quota_owed_is_quota_returned_and_nothing_cascades() => Gen.Select(Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 8], Gen.Int[0, 8], Gen.Int[0, 8])
        .Sample((ownA, ownB, ownC, first, second, third) =>
        {
            var line = new Line(12).Set(new("a", Quota: Owns(ownA))).Set(new("b", Quota: Owns(ownB))).Set(new("c", Quota: Owns(ownC)));
            foreach (var (project, jobs) in new[] { ("a", first), ("b", second), ("c", third) })
            {
                var stops = line.Ask(project, jobs, canYield: true).Settle();
                Assert.Equal(stops.Count, stops.DistinctBy(s => s.Victim).Count());
                line.After(TimeSpan.FromMinutes(1));
            }
            Assert.DoesNotContain(line.Stops(), s => s.Cause == StopCause.Quota);
            foreach (var (project, own, jobs) in new[] { ("a", ownA, first), ("b", ownB, second), ("c", ownC, third) })
                Assert.True(line.Holding.Count(c => c.Project == project) >= Math.Min(own, jobs), $"{project} owns {own}, asks for {jobs}, and holds {line.Holding.Count(c => c.Project == project)}");
        }, seed: null, iter: 300, threads: 1);

    [Fact]
    public void Nobody_is_stopped_for_fairness_alone_below_its_share()
    {
        var line = new Line(4).Ask("a", 2, canYield: true).Ask("b", 2, canYield: true);
        line.Decide();
        Assert.DoesNotContain(line.After(Day).Ask("a", 2).Ask("b", 2).Stops(), s => s.Cause == StopCause.Share);
    }

    [Fact]
    public void Who_holds_more_than_its_share_gives_up_to_it()
    {
        var line = new Line(4).Ask("a", 4, canYield: true);
        line.Decide();
        line.After(TimeSpan.FromHours(1)).Ask("b", 4, canYield: true);
        Assert.Equal([StopCause.Share, StopCause.Share], line.Settle().Select(s => s.Cause));
        Assert.Equal((2, 2), Held(line.Holding, "a", "b"));
        Assert.DoesNotContain(line.After(Day).Settle(), s => s.Cause == StopCause.Share);
    }

    [Fact]
    public void A_higher_priority_has_a_lower_one_stopped_and_not_the_other_way_round()
    {
        var line = new Line(1).Ask("a", 1, canYield: true);
        line.Decide();
        Assert.Equal(StopCause.Priority, Assert.Single(line.Ask("b", 1, priority: 100, canYield: true).Stops()).Cause);
        line.Decide();
        Assert.Equal("b", Assert.Single(line.Holding).Project);
        Assert.Empty(line.After(Day).Ask("a", 1).Stops());
    }

    [Fact]
    public void A_project_at_its_limit_waits_and_blocks_nobody()
    {
        var line = new Line(4).Set(new("a", Limits: new(Devices: 2))).Ask("a", 4, priority: 100).Ask("b", 4);
        Assert.Equal((2, 2), Held(line.Decide(), "a", "b"));
        Assert.Equal("project a may hold 2 devices at once, and holds 2: this starts when it has given enough back",
            line.Scheduler.HeldBackBy(line.Scheduler.Line(line.Now).First(c => c.Project == "a")));
    }

    [Fact]
    public void A_user_at_its_limit_leaves_the_rest_to_the_others_of_its_project()
    {
        var line = new Line(4).Set(new("lab", Limits: new(UserDevices: 1))).Ask("lab/a", 4, owner: "ada").Ask("lab/a", 1, owner: "bob");
        Assert.Equal(["ada", "bob"], line.Decide().Select(c => c.Owner).Order());
    }

    [Fact]
    public void A_pass_over_ten_thousand_jobs_of_fifty_projects_is_in_the_order_that_its_starts_make()
    {
        var line = new Line(100);
        for (var i = 0; i < 50; i++) line.Ask($"p{i % 5}/q{i}", 200, canYield: true);
        Assert.All(line.Decide().GroupBy(c => c.Project), g => Assert.Equal(2, g.Count()));
    }

    private static Dictionary<string, int> Owns(int devices) => new() { ["H100"] = devices };

    [Fact]
    public void A_policy_that_does_not_share_by_project_leaves_quotas_aside()
    {
        var line = new Line(2, new Las()).Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 1 })).Ask("b", 2, canYield: true);
        line.Decide();
        line.After(TimeSpan.FromMinutes(10)).Ask("a", 2);
        Assert.Empty(line.Decide());
        Assert.Equal(StopCause.Sooner, line.After(TimeSpan.FromHours(1)).Stops()[0].Cause);
    }

    private static (int, int) Held(IEnumerable<Claim> claims, string one, string other)
    {
        var held = claims.ToList();
        return (held.Where(c => c.Project == one).Sum(c => c.Shape.Devices), held.Where(c => c.Project == other).Sum(c => c.Shape.Devices));
    }

    /// <summary>A scheduler and one node, or more.</summary>
    private sealed class Line
    {
        private readonly Grid _grid = new();
        private readonly Shapes _shapes = new();
        private long _last;

        public Line(int gpus, IPolicy? policy = null)
        {
            Scheduler = new(policy ?? new PucesPolicy(), _grid);
            for (var i = 0; i < gpus; i += 8) Node($"n{i:000}", Math.Min(8, gpus - i));
        }

        public Scheduler Scheduler { get; }
        public TimeSpan Now { get; private set; } = TimeSpan.FromDays(20_000);
        public IReadOnlyList<Claim> Holding => Scheduler.Holding;

        public Line Node(string name, int gpus, string model = "H100")
        {
            _grid.Set(Cluster.NodeOf("office/" + name, gpus, model, cpus: 64));
            return this;
        }

        public Line Set(Project project)
        {
            Scheduler.Set(project);
            return this;
        }

        public Line Ask(string project, int jobs, int gpus = 1, string model = "H100", int priority = 0, bool canYield = false, string owner = "ada")
        {
            for (var i = 0; i < jobs; i++)
                Scheduler.Add(new()
                {
                    Number = ++_last,
                    Shape = _shapes.Of(Cluster.Asking(gpus: gpus, model: model).Request),
                    Project = project,
                    Owner = owner,
                    Name = "job",
                    Priority = priority,
                    CanYield = canYield,
                    Submitted = Now
                }, Now);
            return this;
        }

        public Line After(TimeSpan time)
        {
            Now += time;
            return this;
        }

        /// <summary>Whatever these hold ends.</summary>
        public Line End(params string[] projects)
        {
            foreach (var claim in Holding.Where(c => projects.Contains(c.Project)).ToList()) Scheduler.End(claim, Now - claim.Since, Now);
            return this;
        }

        public IReadOnlyList<Claim> Decide() => [.. Scheduler.Decide(Now).Starts];

        /// <summary>Who is told to leave now; they have left when this returns.</summary>
        public Stop[] Stops()
        {
            Stop[] stops = [.. Scheduler.Decide(Now).Stops];
            foreach (var stop in stops)
            {
                Scheduler.Leave(stop.Victim, stop.Victim.Worked + (Now - stop.Victim.Since));
                Scheduler.Add(stop.Victim, Now);
            }
            return stops;
        }

        /// <summary>Looks until nobody leaves any more; who left.</summary>
        public List<Stop> Settle()
        {
            var all = new List<Stop>();
            for (var i = 0; i < 40; i++)
            {
                var stops = Stops();
                if (stops.Length == 0) return all;
                all.AddRange(stops);
            }
            throw new InvalidOperationException("somebody is stopped without end");
        }
    }
}
