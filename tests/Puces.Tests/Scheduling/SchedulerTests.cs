using CsCheck;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Strict order: what a higher job could use, no lower one takes.</summary>
public sealed class SchedulerTests
{
    private static readonly Gen<Node> AnyNode = Gen.Select(Gen.Int[0, 4], Gen.Int[0, 2], Gen.Int[1, 8], Gen.Int[0, 9], Gen.Int[0, 1],
        (gpus, model, cpus, up, pool) => Cluster.NodeOf(pool == 0 ? "office/" : "attic/", gpus, model == 0 ? "A100" : "H100", cpus, 32, up > 0));

    private static readonly Gen<NewJob> AnyJob = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[1, 3], Gen.Int[0, 4], Gen.Int[0, 2], Gen.Int[-1, 1], Gen.Int[0, 9],
        (gpus, model, nodes, cpus, memory, priority, where) => Cluster.Asking(
            "job", gpus, model switch { 0 => "A100", 1 => null, _ => "H100" }, nodes, cpus, memory * 12, priority, null, where == 0 ? ["attic"] : []));

    /// <summary>Nodes with one job that runs already, and those who wait.</summary>
    private static readonly Gen<Case> Cases = Gen.Select(AnyNode.Array[1, 5], AnyJob.Array[0, 8], Gen.Int[0, 4], Gen.Int[0, 4], (nodes, jobs, held, cpus) => new Case(
        [.. nodes.Select((n, i) => n with { Id = n.Id + i })],
        [.. jobs.Select((j, i) => new Job(new(i + 1), j.Name, j.Project, j.Owner, j.Priority, j.Request, j.Retry, default, new JobState.Queued(default)))],
        new(nodes[0].Id + 0, [.. Enumerable.Range(0, Math.Min(held, nodes[0].Devices.Count))], Math.Min(cpus * 1000, nodes[0].MilliCpus), default)));

    private sealed record Case(Node[] Nodes, Job[] Jobs, Share Held)
    {
        public Holdings Holdings()
        {
            var holdings = new Holdings();
            foreach (var node in Nodes) holdings.Set(node);
            holdings.Hold(new(99), new([Held]));
            return holdings;
        }

        public IReadOnlyList<Start> Decide(IEnumerable<Job>? arriving = null)
        {
            var holdings = Holdings();
            var line = new Line();
            foreach (var job in arriving ?? Jobs) line.Add(job);
            return StrictOrder.Decide(line, holdings.Uses, s => holdings.Hold(s.Job.Id, s.Allocation));
        }
    }

    private static string Plan(IEnumerable<Start> starts) =>
        string.Join("; ", starts.Select(s => $"{s.Job.Id}: {string.Join(", ", s.Allocation.Shares.Select(h => $"{h.Node} [{string.Join(",", h.Devices)}] {h.MilliCpus} {h.Memory}"))}"));

    // What a person would say of whether a node could ever carry a rank; on purpose not the code under test.
    private static bool CouldCarry(Request request, Node node) =>
        (request.Where.Count == 0 || request.Where.Contains(node.Pool)) && request.MilliCpus <= node.MilliCpus && request.Memory <= node.Memory
        && (request.Gpus.Count == 0 || node.Devices.Count(d => request.Gpus[0].Name is null || d.Model == request.Gpus[0].Name) >= request.Gpus[0].Count);

    [Fact]
    public void A_lower_job_takes_no_node_that_a_waiting_higher_one_could_use() => Cases.Sample(at =>
    {
        var starts = at.Decide();
        foreach (var higher in at.Jobs.Where(j => starts.All(s => s.Job.Id != j.Id) && at.Nodes.Count(n => CouldCarry(j.Request, n)) >= j.Request.Nodes))
            foreach (var lower in starts.Where(s => Turn.Of(s.Job) > Turn.Of(higher)))
                foreach (var share in lower.Allocation.Shares)
                    if (CouldCarry(higher.Request, at.Nodes.First(n => n.Id == share.Node))) return false;
        return true;
    }, iter: 20_000);

    [Fact]
    public void Who_waits_would_not_fit_if_no_lower_job_had_started() => Cases.Sample(at =>
    {
        var starts = at.Decide();
        foreach (var waiting in at.Jobs.Where(j => starts.All(s => s.Job.Id != j.Id)))
        {
            var holdings = at.Holdings();
            foreach (var start in starts.Where(s => Turn.Of(s.Job) < Turn.Of(waiting))) holdings.Hold(start.Job.Id, start.Allocation);
            // It may wait for those before it, who keep their nodes: then one of them waits too.
            var isBehind = at.Jobs.Any(j => Turn.Of(j) < Turn.Of(waiting) && starts.All(s => s.Job.Id != j.Id));
            if (!isBehind && Placement.Find(waiting.Request, holdings.Uses.Values) is not null) return false;
        }
        return true;
    }, iter: 20_000);

    [Fact]
    public void What_starts_fits() => Cases.Sample(at =>
    {
        var starts = at.Decide();
        foreach (var node in at.Nodes)
        {
            var shares = starts.SelectMany(s => s.Allocation.Shares).Where(s => s.Node == node.Id).ToList();
            if (shares.Count > 0 && !node.IsUp) return false;
            if (at.Held.Node == node.Id) shares.Add(at.Held);
            var devices = shares.SelectMany(s => s.Devices).ToList();
            if (devices.Distinct().Count() < devices.Count || shares.Sum(s => s.MilliCpus) > node.MilliCpus || shares.Sum(s => s.Memory.Bytes) > node.Memory.Bytes) return false;
        }
        return starts.All(s => s.Allocation.Shares.Count == s.Job.Request.Nodes
            && s.Allocation.Shares.All(h => h.Devices.Count == s.Job.Request.Gpus.Sum(g => g.Count) && CouldCarry(s.Job.Request, at.Nodes.First(n => n.Id == h.Node)))
            && s.Allocation.Shares.DistinctBy(h => h.Node).Count() == s.Allocation.Shares.Count);
    }, iter: 20_000);

    [Fact]
    public void Deciding_twice_from_one_world_gives_one_plan_in_whatever_order_the_jobs_came() => Gen.Select(Cases, Gen.Int[0, 1000]).Sample((at, seed) =>
    {
        var luck = new Luck((ulong)seed);
        var plan = Plan(at.Decide());
        return plan == Plan(at.Decide()) && plan == Plan(at.Decide(at.Jobs.OrderBy(_ => luck.Next())));
    });

    [Fact]
    public void Passing_over_a_request_at_once_decides_what_asking_every_job_would() => Cases.Sample(at =>
    {
        var holdings = at.Holdings();
        var open = new HashSet<string>(at.Nodes.Where(n => n.IsUp).Select(n => n.Id));
        var starts = new List<Start>();
        foreach (var job in at.Jobs.OrderBy(Turn.Of))
        {
            if (Placement.Find(job.Request, holdings.Uses.Values.Where(u => open.Contains(u.Node.Id))) is { } found)
            {
                starts.Add(new(job, found));
                holdings.Hold(job.Id, found);
            }
            else if (at.Nodes.Count(n => CouldCarry(job.Request, n)) >= job.Request.Nodes) open.RemoveWhere(id => CouldCarry(job.Request, at.Nodes.First(n => n.Id == id)));
        }
        return Plan(starts) == Plan(at.Decide());
    }, iter: 20_000);

    [Fact]
    public void Starts_come_in_the_order_of_the_line() => Cases.Sample(at =>
        at.Decide().Select(s => Turn.Of(s.Job)).ToList() is var turns && turns.SequenceEqual(turns.Order()));

    [Fact]
    public void A_small_job_behind_a_large_one_waits_with_it()
    {
        var cluster = new Cluster().Node("office/a", gpus: 4);
        var running = cluster.Submit(gpus: 1);
        var (large, small) = (cluster.Submit(gpus: 4), cluster.Submit(gpus: 1));
        Assert.Equal(("queued", "queued"), (cluster[large].State.Word, cluster[small].State.Word));
        cluster.Exits(running);
        Assert.Equal(("starting", "queued"), (cluster[large].State.Word, cluster[small].State.Word));
    }

    [Fact]
    public void A_small_job_passes_a_large_one_on_a_node_that_is_of_no_use_to_it()
    {
        var cluster = new Cluster().Node("office/a", gpus: 4).Node("office/b", gpus: 2);
        cluster.Submit(gpus: 3);
        var (large, small) = (cluster.Submit(gpus: 4), cluster.Submit(gpus: 2));
        Assert.Equal("queued", cluster[large].State.Word);
        Assert.Equal("office/b", cluster[small].State.Held!.Shares[0].Node);
    }

    [Fact]
    public void A_job_that_nothing_can_ever_carry_holds_nobody_up()
    {
        var cluster = new Cluster().Node("office/a", gpus: 4);
        var (never, gang, small) = (cluster.Submit(gpus: 8), cluster.Submit(gpus: 4, nodes: 2), cluster.Submit(gpus: 4));
        Assert.Equal(("queued", "queued", "starting"), (cluster[never].State.Word, cluster[gang].State.Word, cluster[small].State.Word));
    }

    [Fact]
    public void A_job_that_waits_for_a_node_that_is_down_keeps_the_others_that_it_could_use()
    {
        var cluster = new Cluster().Node("office/a", gpus: 4).Node("office/b", gpus: 4).Down("office/b");
        var (gang, small) = (cluster.Submit(gpus: 4, nodes: 2), cluster.Submit(gpus: 1));
        Assert.Equal("queued", cluster[small].State.Word);
        cluster.Back("office/b");
        Assert.Equal(("starting", "queued"), (cluster[gang].State.Word, cluster[small].State.Word));
    }

    [Fact]
    public void A_higher_priority_that_comes_later_goes_first()
    {
        var cluster = new Cluster().Node("office/a", gpus: 1);
        var running = cluster.Submit(gpus: 1);
        var (normal, high) = (cluster.Submit(gpus: 1), cluster.Submit(gpus: 1, priority: 100));
        cluster.Exits(running);
        Assert.Equal(("queued", "starting"), (cluster[normal].State.Word, cluster[high].State.Word));
    }
}
