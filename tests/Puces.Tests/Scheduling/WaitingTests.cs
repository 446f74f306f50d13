using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Core.Units;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>What people read where a job waits.</summary>
public sealed class WaitingTests
{
    private static Request Ask(int gpus = 0, string? model = "H100", int nodes = 1, double cpus = 0, int gigabytes = 0, IReadOnlyList<string>? where = null) =>
        Cluster.Asking("job", gpus, model, nodes, cpus, gigabytes, where: where).Request;

    private static NodeUse Use(string id, int gpus = 0, int free = -1, string model = "H100", int cpus = 16, int freeCpus = -1, int gigabytes = 64, int freeGigabytes = -1, bool isUp = true)
    {
        var node = Cluster.NodeOf(id, gpus, model, cpus, gigabytes, isUp, isUp ? null : "no route");
        return new(node, [.. node.Devices.Select(d => d.Index).Take(free < 0 ? gpus : free)], freeCpus < 0 ? node.MilliCpus : freeCpus * 1000,
            freeGigabytes < 0 ? node.Memory : new(freeGigabytes * 1_000_000_000L), []);
    }

    public static TheoryData<Request, NodeUse[], string> Reasons => new()
    {
        { Ask(1), [], "no node has answered yet" },
        { Ask(1), [Use("p/a", 4, isUp: false)], "no node can be reached; p/a: no route" },
        { Ask(1), [Use("p/a", 4)], "would fit now, and goes after the jobs ahead of it" },
        { Ask(4), [Use("p/a", 4, free: 3)], "needs 4 H100s on one node; p/a has the most free, 3" },
        { Ask(1), [Use("p/a", 4, free: 0)], "needs 1 H100 on one node; p/a has the most free, 0" },
        { Ask(4), [Use("p/a", 4, free: 1), Use("p/b", 8, free: 3)], "needs 4 H100s on one node; p/b has the most free, 3" },
        { Ask(2, model: null), [Use("p/a", 4, free: 1)], "needs 2 devices on one node; p/a has the most free, 1" },
        { Ask(8), [Use("p/a", 4)], "no node can ever carry H100:8; the largest, p/a, has 4 × H100, 16 CPUs and 64 GB" },
        { Ask(1), [Use("p/a", cpus: 1)], "no node can ever carry H100:1; the largest, p/a, has no accelerator, 1 CPU and 64 GB" },
        { Ask(1, where: ["q", "r"]), [Use("p/a", 4)], "no node of q, r can ever carry H100:1; the largest, p/a, has 4 × H100, 16 CPUs and 64 GB" },
        { Ask(4, nodes: 3), [Use("p/a", 4), Use("p/b", 4)], "needs 3 nodes with H100:4; there are only 2" },
        { Ask(4, nodes: 2), [Use("p/a", 4), Use("p/b", 2)], "needs 2 nodes with H100:4; there is only 1" },
        { Ask(8, nodes: 2), [Use("p/a", 4), Use("p/b", 4)], "no node can ever carry H100:8; the largest, p/a, has 4 × H100, 16 CPUs and 64 GB" },
        { Ask(4, nodes: 2), [Use("p/a", 4), Use("p/b", 4, free: 1)], "needs 2 × H100:4; 1 node of 2 could take a part now" },
        { Ask(4, nodes: 3), [Use("p/a", 4), Use("p/b", 4), Use("p/c", 4, free: 1)], "needs 3 × H100:4; 2 nodes of 3 could take a part now" },
        { Ask(4, nodes: 2), [Use("p/a", 4), Use("p/b", 4, isUp: false)], "needs 2 × H100:4; p/b could carry a part and cannot be reached: no route" },
        { Ask(4), [Use("p/a", 2), Use("p/b", 4, isUp: false)], "needs H100:4; p/b could carry it and cannot be reached: no route" },
        { Ask(4), [Use("p/a", 4, free: 1), Use("p/b", 4, isUp: false)], "needs 4 H100s on one node; p/a has the most free, 1" },
        { Ask(4) with { InContainer = true }, [Use("p/a", 4), Use("p/b", 2)], "needs a container engine (Docker, Podman, Apptainer or Enroot): none on p/a" },
        { Ask(8) with { InContainer = true }, [Use("p/a", 4)], "no node can ever carry H100:8; the largest, p/a, has 4 × H100, 16 CPUs and 64 GB" },
        { Ask(cpus: 4), [Use("p/a", freeCpus: 3), Use("p/b", freeCpus: 2)], "needs 4 CPUs on one node; p/a has 3 free" },
        { Ask(), [Use("p/a", freeCpus: 0)], "needs 1 CPU on one node; p/a has 0 free" },
        { Ask(cpus: 0.5), [Use("p/a", freeCpus: 0)], "needs 0.5 CPUs on one node; p/a has 0 free" },
        { Ask(gigabytes: 32), [Use("p/a", freeGigabytes: 8), Use("p/b", freeGigabytes: 16)], "needs 32GB of memory on one node; p/b has 16GB free" },
        { Ask(2), [Use("p/a", 4, free: 2, freeCpus: 1)], "needs 2 CPUs on one node; p/a has 1 free" },
        { Ask(2, gigabytes: 32), [Use("p/a", 4, free: 2, freeGigabytes: 8), Use("p/b", 4, free: 1)], "needs 32GB of memory on one node; p/a has 8GB free" },
        { new([new(8, "A100"), new(4, "H100")], 1, 0, default, []), [Use("p/a", 4, free: 3)], "needs 4 H100s on one node; p/a has the most free, 3" },
    };

    [Theory]
    [MemberData(nameof(Reasons))]
    public void A_reason_says_what_is_needed_and_what_there_is(Request request, NodeUse[] nodes, string reason) =>
        Assert.Equal(reason, Waiting.Reason(request, nodes));

    public static TheoryData<Request, NodeUse[], string[]> AllHints => new()
    {
        { Ask(1), [Use("p/a", 4)], [] },
        { Ask(4), [Use("p/a", 4, free: 0)], [] },
        { Ask(4), [Use("p/a", 4, free: 3)], ["3 H100s on one node would start now: ask for fewer"] },
        { Ask(2), [Use("p/a", 2, free: 1)], ["1 H100 on one node would start now: ask for fewer"] },
        { Ask(2), [Use("p/a", 4, free: 0), Use("p/b", 4, free: 3, model: "A100")], ["3 × A100 are free on p/b: add A100:2 to gpus"] },
        { Ask(2), [Use("p/a", 4, free: 0), Use("p/b", 4, model: "A100", isUp: false)], [] },
        { Ask(2), [Use("p/a", 4, free: 0), Use("p/b", 4, free: 1, model: "A100")], [] },
        { Ask(2, where: ["q"]), [Use("p/a", 4), Use("q/a", 4, free: 0)], ["pool p has room: add it to where"] },
        { Ask(cpus: 2, where: ["q"]), [Use("p/a"), Use("q/a", freeCpus: 0)], ["pool p has room: add it to where"] },
        { Ask(2), [Use("p/a", 4, free: 0), Use("p/b", 2, model: "L40S")], ["2 × L40S are free on p/b: add L40S:2 to gpus"] },
        { Ask(2, nodes: 2), [Use("p/a", 2, free: 0), Use("p/b", 2), Use("p/c", 2, model: "A100"), Use("p/d", 2, model: "A100")], ["2 × A100 are free on 2 nodes: add A100:2 to gpus", "1 node would start now: ask for fewer"] },
        { Ask(4, nodes: 2), [Use("p/a", 4, free: 3), Use("p/b", 4)], ["3 H100s on 2 nodes would start now: ask for fewer", "1 node would start now: ask for fewer"] },
        { Ask(cpus: 8), [Use("p/a", freeCpus: 6), Use("p/b", freeCpus: 2)], ["6 CPUs would start now: ask for fewer CPUs"] },
        { Ask(1, cpus: 8), [Use("p/a", 4, free: 0), Use("p/b", 4, freeCpus: 2)], ["2 CPUs would start now: ask for fewer CPUs"] },
        { Ask(cpus: 8, nodes: 2), [Use("p/a", freeCpus: 6), Use("p/b", freeCpus: 2)], ["2 CPUs on each node would start now: ask for fewer CPUs"] },
        { Ask(gigabytes: 32), [Use("p/a", freeGigabytes: 20)], ["20 GB of memory would start now: ask for less"] },
    };

    [Theory]
    [MemberData(nameof(AllHints))]
    public void A_hint_says_what_would_let_it_start_now(Request request, NodeUse[] nodes, string[] hints) => Assert.Equal(hints, Waiting.Hints(request, nodes));

    [Fact]
    public void A_node_names_its_models() =>
        Assert.Equal("2 × H100", Waiting.Models(Cluster.NodeOf("p/a", 2)));

    [Fact]
    public void Memory_is_written_as_people_write_it() =>
        Assert.Equal("needs 32GB of memory on one node; p/a has 0B free", Waiting.Reason(Ask(gigabytes: 32) with { Memory = new Memory(32_000_000_000) }, [Use("p/a", freeGigabytes: 0)]));
}
