using Puces.Cli.JobFiles;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class PoolFileTests
{
    private static (IReadOnlyList<(string Name, SetPool Pool)> Declared, IReadOnlyList<FieldError> Errors) Read(string yaml)
    {
        var (root, error) = YamlReader.Read(yaml);
        return root is null ? ([], [error!]) : PoolFile.Bind(root);
    }

    [Fact]
    public void Hosts_alone_make_an_ssh_pool_and_what_a_host_says_wins()
    {
        var (declared, errors) = Read("""
            pools:
              office:
                hosts: [gpu1, {name: gpu2, host: 10.0.0.7, port: 2222, jump: vera@gate}]
                user: vera
                term: 30m
            """);
        Assert.Empty(errors);
        var (name, pool) = Assert.Single(declared);
        Assert.Equal(("office", "ssh", "30m", "vera"), (name, pool.Provider, pool.Term, pool.Ssh!.User));
        Assert.Equal([new SshHost("gpu1"), new SshHost("gpu2", "10.0.0.7", Port: 2222, Jump: "vera@gate")], pool.Ssh.Hosts);
    }

    [Fact]
    public void A_slurm_pool_is_read_with_its_login_node()
    {
        var (declared, errors) = Read("""
            pools:
              jean: {provider: slurm, login: vera@jean-zay, partitions: gpu, account: abc, time: 20h, exclusive: true, options: ["--reservation=gpus"], folder: /scratch/puces}
            """);
        Assert.Empty(errors);
        var slurm = declared.Single().Pool.Slurm!;
        Assert.Equal(new SshHost("jean-zay", User: "vera"), slurm.Login);
        Assert.Equal(("gpu", "--reservation=gpus", TimeSpan.FromHours(20), true, "/scratch/puces"), (slurm.Partitions.Single(), slurm.Options!.Single(), slurm.Time, slurm.Exclusive, slurm.Folder));
    }

    [Fact]
    public void A_kubernetes_pool_is_read_with_its_patch_as_json()
    {
        var (declared, errors) = Read("""
            pools:
              lab:
                provider: kubernetes
                namespace: ml
                shared: checkpoints
                tolerations: [dedicated=ml:NoSchedule]
                node_selector: {pool: gpu}
                patch: {priorityClassName: batch, hostNetwork: true, securityContext: {runAsUser: 1000, seLinuxOptions: {level: "1"}}, dnsPolicy: null}
            """);
        Assert.Empty(errors);
        var kubernetes = declared.Single().Pool.Kubernetes!;
        Assert.Equal(("ml", "checkpoints", "dedicated=ml:NoSchedule", "gpu"), (kubernetes.Namespace, kubernetes.Shared, kubernetes.Tolerations!.Single(), kubernetes.NodeSelector!["pool"]));
        Assert.Equal("""{"priorityClassName":"batch","hostNetwork":true,"securityContext":{"runAsUser":1000,"seLinuxOptions":{"level":"1"}},"dnsPolicy":null}""", kubernetes.Patch);
    }

    [Theory]
    [InlineData("pools:\n  a: {hots: [x]}", 2, "did you mean 'hosts'?")]
    [InlineData("pools:\n  a: {hosts: gpu1}", 2, "takes a list of hosts")]
    [InlineData("pools:\n  a:\n    hosts: [{user: vera}]", 3, "is missing; write name: gpu1")]
    [InlineData("pools:\n  a: {provider: slurm, exclusive: perhaps}", 2, "takes true or false")]
    [InlineData("pools:\n  a: {hosts: [x], port: many}", 2, "is not a whole number")]
    [InlineData("pool:\n  a: {}", 1, "did you mean 'pools'?")]
    [InlineData("pools: {}", 1, "it declares no pool")]
    [InlineData("- a", 1, "a file of pools begins with pools:")]
    [InlineData("pools:\n  a: {hosts: [x]}\n  a: {hosts: [y]}", 3, "twice")]
    public void A_mistake_is_said_with_its_line(string yaml, int line, string expected)
    {
        var (declared, errors) = Read(yaml);
        Assert.Empty(declared);
        Assert.Contains(errors, e => e.Line == line && e.Message.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_key_is_documented_with_an_example_that_is_read()
    {
        foreach (var field in PoolFile.Fields.Where(f => f.Key is not "nodes" and not "islands" and not "places"))
        {
            var (_, errors) = Read($"pools:\n  a:\n    hosts: [x]\n    {(field.Key == "hosts" ? "user: y" : field.Example)}\n");
            Assert.True(errors.Count == 0, $"{field.Example}: {string.Join("; ", errors.Select(e => e.Message))}");
        }
    }
}
