using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers.Kubernetes;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>The objects of a lease, and what is read from them, without a cluster.</summary>
public sealed class KubernetesObjectsTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);
    private static readonly LeaseNames Names = new("a1b2c3", "kube");

    private static readonly LeaseRequest Request = new(
        new("l7"), "puces-42-train", "NVIDIA-H100-80GB-HBM3", 2, "H100", 8, 0, default, null, TimeSpan.FromSeconds(60), TimeSpan.FromHours(1));

    private static LeaseObjects Objects(KubernetesPool pool) => new(pool, Names, Request, "train:1", new(
        new Dictionary<string, ResourceQuantity> { ["nvidia.com/gpu"] = new("8") }, new Dictionary<string, ResourceQuantity> { ["nvidia.com/gpu"] = new("8") }, null, []));

    [Fact]
    public void Where_there_are_indexed_jobs_one_makes_the_pods_and_kueue_lets_it_in()
    {
        var job = JsonNode.Parse(KubernetesJson.Serialize(Objects(new(Queue: "team", Labels: new Dictionary<string, string> { ["team"] = "ml" })).IndexedJob()))!;
        var template = job["spec"]!["template"]!;
        template["spec"]!.AsObject().Remove("containers");
        Assert.Equal(
            """
            {"metadata":{"annotations":{"puces/nodes":"2","puces/job":"puces-42-train"},"labels":{"team":"ml","app.kubernetes.io/managed-by":"puces","puces/instance":"a1b2c3","puces/pool":"kube","puces/lease":"l7","kueue.x-k8s.io/queue-name":"team"},"name":"puces-b6ff1cc5-l7"},"spec":{"backoffLimit":0,"completionMode":"Indexed","completions":2,"parallelism":2,"suspend":true,"template":{"metadata":{"labels":{"team":"ml","app.kubernetes.io/managed-by":"puces","puces/instance":"a1b2c3","puces/pool":"kube","puces/lease":"l7"}},"spec":{"automountServiceAccountToken":false,"enableServiceLinks":false,"restartPolicy":"Never","subdomain":"puces-b6ff1cc5-l7","terminationGracePeriodSeconds":90,"tolerations":[],"volumes":[{"emptyDir":{},"name":"puces"},{"emptyDir":{"medium":"Memory"},"name":"memory"}]}}}}
            """, job.ToJsonString());
    }

    [Fact]
    public void Before_each_pod_is_made_by_itself_and_goes_with_its_owner()
    {
        var pod = Objects(new(Shared: "/nfs/ml")).Pod(1, new() { ApiVersion = "v1", Kind = "ConfigMap", Name = "puces-b6ff1cc5-l7", Uid = "u" });
        Assert.Equal(("puces-b6ff1cc5-l7-1", "puces-b6ff1cc5-l7-1", "puces-b6ff1cc5-l7"), (pod.Metadata.Name, pod.Spec.Hostname, pod.Spec.Subdomain));
        Assert.Equal("u", Assert.Single(pod.Metadata.OwnerReferences).Uid);
        Assert.Equal("/nfs/ml", pod.Spec.Volumes.Single(v => v.Name == "shared").HostPath.Path);
        // An hour of its term, and ten minutes in which its runner has stopped all.
        Assert.Equal("4200", pod.Spec.Containers[0].Command[^1]);
    }

    [Fact]
    public void A_pools_patch_has_the_last_word_and_null_takes_away()
    {
        var spec = Objects(new(ServiceAccount: "ml", Patch: """{"priorityClassName":"batch","subdomain":null,"securityContext":{"runAsUser":1000}}""")).Pod(0, new()).Spec;
        Assert.Equal(("batch", null, 1000L, "ml"), (spec.PriorityClassName, spec.Subdomain, spec.SecurityContext.RunAsUser, spec.ServiceAccountName));
        Assert.Equal("""{"a":{"b":1},"d":[2]}""", LeaseObjects.Merged(JsonNode.Parse("""{"a":{"b":1,"c":2},"d":[1]}"""), JsonNode.Parse("""{"a":{"c":null},"d":[2]}"""))!.ToJsonString());
    }

    [Fact]
    public void Names_are_the_same_for_the_same_id_and_differ_between_daemons_and_pools()
    {
        Assert.Equal(new LeaseNames("a1b2c3", "kube").Name(new("l7")), Names.Name(new("l7")));
        Assert.NotEqual(new LeaseNames("a1b2c3", "other").Name(new("l7")), Names.Name(new("l7")));
        Assert.NotEqual(new LeaseNames("ffffff", "kube").Name(new("l7")), Names.Name(new("l7")));
        Assert.Throws<ArgumentException>(() => Names.Name(new("No_Name")));
    }

    [Fact]
    public void A_lease_is_ready_when_all_its_pods_run_and_not_before()
    {
        Assert.Equal((LeaseState.Waiting, "1 of 2 pods are made"), Seen([Pod(0)]));
        Assert.Equal((LeaseState.Waiting, "n1 makes its container (ContainerCreating): no space for it"), Seen([Pod(0), Pod(1, p =>
        {
            p.Status.Phase = "Pending";
            p.Status.ContainerStatuses = [new() { Image = "train:1", State = new() { Waiting = new() { Reason = "ContainerCreating" } } }];
        })], warnings: new() { ["pod-1"] = "no space for it" }));
        Assert.Equal((LeaseState.Ready, null), Seen([Pod(1), Pod(0)]));
        Assert.Equal(["n0-0", "n1-1"], View([Pod(1), Pod(0)]).Lease.Nodes.Select(n => n.Name));
    }

    [Fact]
    public void How_a_lease_ended_is_told_in_kubernetes_words()
    {
        Assert.Equal((LeaseState.Ended, "pod pod-0 on n0: Evicted: The node was low on resource: memory."), Seen([Pod(0, p => Over(p, "Evicted", "The node was low on resource: memory.")), Pod(1, p => Over(p))]));
        Assert.Equal((LeaseState.Ended, "pod pod-0 on n0: it ended (OOMKilled, exit code 137)"), Seen([Pod(0, p => Over(p, why: "OOMKilled", code: 137)), Pod(1, p => Over(p))]));
        Assert.Equal((LeaseState.Ended, "pod pod-0 on n0: DeadlineExceeded: too long"), Seen([Pod(0, p => Over(p, "DeadlineExceeded", "too long")), Pod(1, p => Over(p))]));
        Assert.Equal((LeaseState.Ended, "pod pod-0 on n0: PreemptionByScheduler: for another"), Seen([Pod(0, p =>
        {
            Over(p);
            p.Status.Conditions = [new() { Type = "DisruptionTarget", Status = "True", Reason = "PreemptionByScheduler", Message = "for another" }];
        }), Pod(1, p => Over(p))]));
        Assert.Equal((LeaseState.Ended, "pod 0, 1 of 2 was deleted"), Seen([]));
        Assert.Empty(View([]).Lease.Nodes);
    }

    [Fact]
    public void Of_a_gang_that_is_not_whole_the_rest_is_to_end()
    {
        var view = View([Pod(1)], isMade: true);
        Assert.Equal((LeaseState.Waiting, "its pods are ending: pod 0 of 2 was deleted"), (view.Lease.State, view.Lease.Reason));
        Assert.Equal(["pod-1"], view.Stray);
        Assert.Empty(View([Pod(0), Pod(1)]).Stray);
    }

    [Fact]
    public void A_node_that_is_silent_ends_nothing_until_kubernetes_gives_its_pod_up_and_then_it_may_go_on_there()
    {
        static void Silent(V1Pod pod) => pod.Status.Conditions = [new() { Type = "Ready", Status = "False" }];
        Assert.Equal((LeaseState.Ready, "n1 does not answer Kubernetes"), Seen([Pod(0), Pod(1, Silent)]));
        Assert.Equal(LeaseState.Waiting, Seen([Pod(0), Pod(1, p =>
        {
            Silent(p);
            p.Metadata.DeletionTimestamp = Now.UtcDateTime.AddSeconds(20);
        })]).State);
        Assert.Equal((LeaseState.Lost, "n1 does not answer Kubernetes, and pod pod-1 was told to end there (NodeLost)"), Seen([Pod(0), Pod(1, p =>
        {
            Silent(p);
            p.Metadata.DeletionTimestamp = Now.UtcDateTime.AddMinutes(-1);
        })]));
    }

    [Fact]
    public void A_job_that_kueue_holds_back_says_in_which_queue_and_one_that_may_make_no_pods_says_why()
    {
        var job = Objects(new(Queue: "team")).IndexedJob();
        var held = new LeaseView(Request.Id, LeaseOwner.Of(job), [], new Dictionary<string, string>(), Now).Lease;
        Assert.Equal((LeaseState.Waiting, "Kueue has not let it in yet (queue team)"), (held.State, held.Reason));
        job.Spec.Suspend = false;
        var refused = new LeaseView(Request.Id, LeaseOwner.Of(job), [], new Dictionary<string, string> { [job.Metadata.Name] = "exceeded quota: few" }, Now).Lease;
        Assert.Equal((LeaseState.Waiting, "its pods cannot be made: exceeded quota: few"), (refused.State, refused.Reason));
        job.Status = new() { Conditions = [new() { Type = "Failed", Status = "True", Reason = "BackoffLimitExceeded", Message = "a pod failed" }] };
        var failed = new LeaseView(Request.Id, LeaseOwner.Of(job), [], new Dictionary<string, string>(), Now).Lease;
        Assert.Equal((LeaseState.Ended, "BackoffLimitExceeded: a pod failed"), (failed.State, failed.Reason));
    }

    [Theory]
    [InlineData("""{"status":"Success"}""", 0, null)]
    [InlineData("""{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}""", 7, null)]
    [InlineData("""{"status":"Failure","message":"no such file"}""", 255, "no such file")]
    public void The_end_of_a_program_is_its_exit_code_or_why_it_did_not_start(string status, int code, string? said) =>
        Assert.Equal((code, said), PodProcess.CodeIn(System.Text.Encoding.UTF8.GetBytes(status)));

    [Theory]
    [InlineData("dedicated=ml:NoSchedule", "dedicated", "Equal", "ml", "NoSchedule")]
    [InlineData("nvidia.com/gpu:NoExecute", "nvidia.com/gpu", "Exists", null, "NoExecute")]
    [InlineData("spot", "spot", "Exists", null, null)]
    public void A_toleration_is_written_as_kubectl_writes_a_taint(string text, string key, string op, string? value, string? effect)
    {
        var toleration = ClusterNodes.Toleration(text);
        Assert.Equal((key, op, value, effect), (toleration.Key, toleration.OperatorProperty, toleration.Value, toleration.Effect));
    }

    [Fact]
    public void A_request_that_leaves_open_how_much_gets_the_part_of_a_node_that_goes_with_its_devices()
    {
        var node = new V1Node
        {
            Metadata = new() { Name = "g1", Labels = new Dictionary<string, string> { ["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3" } },
            Spec = new(),
            Status = new() { Conditions = [new() { Type = "Ready", Status = "True" }], Allocatable = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("65"), ["memory"] = new("1025Gi"), ["nvidia.com/gpu"] = new("8") } },
        };
        // What runs on every node does not go when others come.
        var everywhere = new V1Pod
        {
            Metadata = new() { OwnerReferences = [new() { Kind = "DaemonSet" }] },
            Spec = new() { NodeName = "g1", Containers = [new() { Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("1"), ["memory"] = new("1Gi") } } }] },
        };
        var nodes = new ClusterNodes(new(), [node], [everywhere]);
        var offer = Assert.Single(nodes.Offers(Now));
        Assert.Equal(("H100", 8, 64_000, new Memory(1L << 40), 8, 1), (offer.Model, offer.Devices, offer.MilliCpus, offer.Memory, offer.FreeDevices, offer.FreeNodes));
        var share = nodes.ShareFor(Request with { Devices = 2 });
        Assert.Equal((16m, (decimal)(1L << 38), 2m), (share.Requests["cpu"].ToDecimal(), share.Requests["memory"].ToDecimal(), share.Limits["nvidia.com/gpu"].ToDecimal()));
    }

    private static (LeaseState State, string? Reason) Seen(V1Pod[] pods, Dictionary<string, string>? warnings = null) =>
        View(pods, isMade: pods.Length == 0, warnings).Lease is var lease ? (lease.State, lease.Reason) : default;

    private static LeaseView View(V1Pod[] pods, bool isMade = true, Dictionary<string, string>? warnings = null) =>
        new(Request.Id, new("owner", 2, isMade, false), pods, warnings ?? [], Now);

    private static V1Pod Pod(int rank, Action<V1Pod>? with = null)
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = $"pod-{rank}", Annotations = new Dictionary<string, string> { [LeaseNames.Rank] = $"{rank}" } },
            Spec = new() { NodeName = $"n{rank}" },
            Status = new() { Phase = "Running", PodIP = $"10.0.0.{rank}", Conditions = [new() { Type = "Ready", Status = "True" }], ContainerStatuses = [new() { State = new() { Running = new() } }] },
        };
        with?.Invoke(pod);
        return pod;
    }

    private static void Over(V1Pod pod, string? reason = null, string? message = null, string why = "Completed", int code = 0)
    {
        (pod.Status.Phase, pod.Status.Reason, pod.Status.Message) = ("Failed", reason, message);
        pod.Status.ContainerStatuses = [new() { State = new() { Terminated = new() { Reason = why, ExitCode = code } } }];
    }
}
