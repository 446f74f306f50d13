using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Providers;
using Puces.Providers.Slurm;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>What Slurm prints. Recorded from 22.05.8 where that is said; else made after the manuals of sinfo, squeue and sbatch, 20.11 to 25.05.</summary>
public sealed class SlurmTextTests
{
    // Recorded from 22.05.8.
    private const string Recorded = """
        n1|batch|up|infinite|mixed|gpu:fake:4|gpu:fake:3(IDX:0-2)|1/15/0/16|65536|
        n1|urgent|up|infinite|mixed|gpu:fake:4|gpu:fake:3(IDX:0-2)|1/15/0/16|65536|
        n2|batch|up|infinite|idle|gpu:fake:4|gpu:fake:0(IDX:N/A)|0/16/0/16|65536|
        """;

    [Fact]
    public void Nodes_are_read_with_what_is_taken_of_them()
    {
        var nodes = SlurmText.Nodes(Recorded).ToList();
        Assert.Equal([("n1", "batch", true), ("n1", "urgent", true), ("n2", "batch", true)], nodes.Select(n => (n.Name, n.Partition, n.IsPartitionUp)));
        Assert.Equal(("fake", 4, 3), nodes[0].Gpus.Single());
        Assert.Equal((16, 15, 65536L, null), (nodes[0].Cpus, nodes[0].FreeCpus, nodes[0].MemoryMib, nodes[0].Longest));
        Assert.Equal((true, false, true), (nodes[0].Serves, nodes[0].IsIdle, nodes[2].IsIdle));
    }

    [Theory] // After the manuals.
    [InlineData("gpu:a100:4(S:0-1)", "a100 4")]
    [InlineData("gpu:a100:2(S:0),gpu:v100:2(S:1),nvme:1", "a100 2, v100 2")]
    [InlineData("gpu:a100:2(IDX:0,2),gpu:v100:0(IDX:N/A)", "a100 2, v100 0")]
    [InlineData("gpu:8", " 8")]
    [InlineData("gpu:tesla:no_consume:4(S:0-1)", "tesla 4")]
    [InlineData("gpu:a100_1g.5gb:7(S:0)", "a100_1g.5gb 7")]
    [InlineData("(null)", "")]
    [InlineData("craynetwork:4", "")]
    public void Devices_are_told_from_other_resources(string gres, string expected) =>
        Assert.Equal(expected, string.Join(", ", SlurmText.Gpus(gres).Select(g => $"{g.Type} {g.Count}")));

    [Theory] // After the manuals.
    [InlineData("idle", true)]
    [InlineData("mixed", true)]
    [InlineData("allocated", true)]
    [InlineData("planned", true)] // Since 21.08.
    [InlineData("mixed-", true)] // Planned by the backfill scheduler.
    [InlineData("idle~", true)] // Powered down, and started when it is wanted.
    [InlineData("idle*", false)] // Does not answer.
    [InlineData("drained", false)]
    [InlineData("draining@", false)]
    [InlineData("down*", false)]
    [InlineData("maint", false)]
    [InlineData("inval", false)]
    public void A_node_serves_or_does_not(string state, bool serves) =>
        Assert.Equal(serves, SlurmText.Nodes($"n1|batch|up|1-00:00:00|{state}|gpu:4|gpu:0|0/8/0/8|1000|").Single().Serves);

    [Theory] // After the manuals.
    [InlineData("infinite", null)]
    [InlineData("n/a", null)]
    [InlineData("30:00", 30)]
    [InlineData("4:00:00", 240)]
    [InlineData("2-12:00:00", 3600)]
    public void Limits_are_read(string text, int? minutes) => Assert.Equal(minutes, (int?)SlurmText.Time(text)?.TotalMinutes);

    [Theory]
    [InlineData("h100", "H100")]
    [InlineData("nvidia_a100_80gb_pcie", "A100-80GB")]
    [InlineData("nvidia_a100-sxm4-40gb", "A100")]
    [InlineData("l40s", "L40S")]
    [InlineData("fake", "fake")]
    [InlineData("", null)]
    public void A_type_is_found_in_the_catalogue(string type, string? model) => Assert.Equal(model, Accelerators.ModelIn(type));

    [Fact]
    public void Jobs_are_read_and_other_lines_passed_by()
    {
        // Recorded from 22.05.8; the last two are made.
        var jobs = SlurmText.Jobs("""
            4|PENDING|Resources|1795477568|puces:x:2
            3|RUNNING|None|1795477268|puces:x:1
            5|PENDING|ReqNodeNotAvail, UnavailableNodes:n[1-2]|N/A|puces:x:3
            Welcome to the login node
            """).ToList();
        Assert.Equal([4, 3, 5], jobs.Select(j => j.Id));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1795477568), jobs[0].Start);
        Assert.Null(jobs[2].Start);
        Assert.Equal("nodes that it needs are down or reserved (ReqNodeNotAvail, UnavailableNodes:n[1-2])", SlurmText.Waiting(jobs[2].Reason));
        Assert.Equal("its QOS has reached a limit (QOSGrpGRES)", SlurmText.Waiting("QOSGrpGRES"));
    }

    [Theory]
    [InlineData("PENDING", false, "", 1, "", LeaseState.Waiting, "the nodes that it needs are taken (Resources)")]
    [InlineData("RUNNING", true, "", 2, "n1", LeaseState.Waiting, "job 7 has begun; 1 of its 2 nodes are here")]
    [InlineData("RUNNING", true, "", 2, "n1 n2", LeaseState.Ready, null)]
    [InlineData("COMPLETING", true, "", 1, "n1", LeaseState.Ready, "COMPLETING")]
    [InlineData("TIMEOUT", true, "TIMEOUT", 1, "n1", LeaseState.Ended, "the time of job 7 was over (TIMEOUT)")]
    [InlineData("NODE_FAIL", true, "NODE_FAIL", 1, "n1", LeaseState.Lost, "Slurm ended job 7 because a node of it failed (NODE_FAIL)")]
    [InlineData(null, true, "NODE_FAIL", 1, "n1", LeaseState.Lost, "Slurm ended job 7 because a node of it failed (NODE_FAIL)")]
    [InlineData(null, true, "exit 0", 1, "n1", LeaseState.Ended, "job 7 ended (exit 0)")]
    [InlineData(null, true, "", 1, "n1", LeaseState.Lost, "Slurm knows nothing of job 7 any more, and the job did not say that it ended")]
    [InlineData(null, false, "", 1, "", LeaseState.Ended, "Slurm knows nothing of job 7 any more, and it had not begun")]
    public void A_lease_is_what_its_job_and_its_folder_say(string? state, bool hasBegun, string end, int nodes, string here, LeaseState expected, string? reason)
    {
        var file = new LeaseFile("l", 7, null, hasBegun, false, end, nodes, here.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var lease = file.Lease(state is null ? [] : [new(7, state, "Resources", null, "puces:x:l")]);
        Assert.Equal((expected, reason), (lease.State, lease.Reason));
    }

    [Fact]
    public void Folders_of_leases_are_read_all_at_once()
    {
        var leases = LeaseFile.Parse(
            "l2|\nl2/job|\nl2/mail-0|\nl2/node-0|\nl10|\nl10/taken|41\nl10/job|\nl10/mail-0|\nl10/mail-1|\nl10/end|\nl10/given-back|\nl3|\n",
            "l2/job:40 1795477568\nl10/job:42 1795477569\nl10/end:exit 0\nl10/mail-0/here:n1\nl10/mail-1/here:n2\n").ToDictionary(l => l.Id);
        Assert.Equal((40L, false, false, "", 1), (leases["l2"].Job, leases["l2"].HasBegun, leases["l2"].IsGivenBack, leases["l2"].End, leases["l2"].Nodes));
        Assert.Empty(leases["l2"].Here);
        // Of two jobs that were asked for, the one that has taken it.
        Assert.Equal((41L, true, true, "exit 0", 2), (leases["l10"].Job, leases["l10"].HasBegun, leases["l10"].IsGivenBack, leases["l10"].End, leases["l10"].Nodes));
        Assert.Equal(["n1", "n2"], leases["l10"].Here);
        // An answer was lost before anything was written.
        Assert.Equal((null, 0), (leases["l3"].Job, leases["l3"].Nodes));
        SlurmJob Is(string state) => new(41, state, "None", null, "puces:x:l10");
        Assert.Equal(["TIMEOUT", null, ""], [leases["l10"].Over([Is("TIMEOUT")]), leases["l10"].Over([Is("RUNNING")]), leases["l10"].Over([])]);
    }

    [Theory]
    [InlineData("41|1795477570|NODE_FAIL", "NODE_FAIL")]
    [InlineData("7|1795477570|FAILED\n41|1795477570|CANCELLED by 1000", "CANCELLED")]
    // Another's, who has the number since Slurm lost its state.
    [InlineData("41|1795577570|COMPLETED", null)]
    // It is not over for Slurm's database.
    [InlineData("41|1795477570|RUNNING", null)]
    [InlineData("", null)]
    public void What_the_accounting_says_of_a_forgotten_job_counts_where_it_is_ours(string said, string? end)
    {
        var lease = LeaseFile.Parse("l10|\nl10/taken|41\nl10/job|\n", "l10/job:42 1795477569\n").Single();
        Assert.Equal(end, lease.EndOf([.. said.Split('\n').Select(l => l.Split('|'))]));
    }

    [Theory] // The first three recorded from 22.05.8, the others after Slurm's own list of errors.
    [InlineData("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", Remedy.Retry, "controller does not answer")]
    [InlineData("sbatch: error: invalid partition specified: nope", Remedy.Elsewhere, "no such partition")]
    [InlineData("sbatch: error: Batch job submission failed: Requested node configuration is not available", Remedy.Elsewhere, "no such nodes")]
    [InlineData("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", Remedy.Retry, "controller does not answer")]
    [InlineData("sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified", Remedy.Ask, "does not let us in")]
    [InlineData("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", Remedy.Retry, "no more jobs of ours")]
    [InlineData("sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)", Remedy.Elsewhere, "so much time")]
    [InlineData("/bin/sh: 1: squeue: not found", Remedy.Ask, "commands are not on")]
    public void What_goes_wrong_is_said_with_what_to_do(string said, Remedy remedy, string expected)
    {
        var trouble = SlurmTrouble.Of("login", 1, said);
        Assert.Equal(remedy, trouble.Remedy);
        Assert.Contains(expected, trouble.Message, StringComparison.Ordinal);
        Assert.NotNull(trouble.Hint);
    }
}
