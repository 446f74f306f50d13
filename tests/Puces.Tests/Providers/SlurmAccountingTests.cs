using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Providers.Slurm;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>A real Slurm with accounts, QOS and limits.</summary>
public sealed class SlurmAccountingTests : IAsyncDisposable
{
    private SlurmCluster? _cluster;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? default;

    [Fact]
    public async Task Accounts_and_limits_are_obeyed_and_explained_and_what_slurm_has_forgotten_is_looked_up()
    {
        // One life, since such a cluster takes long to start.
        _cluster = await SlurmCluster.StartAsync(Ct, hasAccounting: true);
        await Who_has_no_account_is_told();
        await What_waits_for_a_limit_says_so();
        await How_a_job_ended_that_slurm_has_forgotten_is_known();
    }

    private async Task Who_has_no_account_is_told()
    {
        await using var provider = Provider(s => s with { Account = "nobodys" });
        var refused = await Assert.ThrowsAsync<ProviderException>(() => provider.AcquireAsync(Asked("none"), Ct));
        Assert.Equal(Remedy.Ask, refused.Remedy);
        Assert.StartsWith("Slurm does not let us in there: ", refused.Message, StringComparison.Ordinal);
        var steps = await provider.CheckAsync(Ct).ToListAsync(Ct);
        Assert.StartsWith("Slurm does not let us in there: ", steps.Single(s => s.IsGood == false).Found, StringComparison.Ordinal);
        Assert.Equal("Slurm has no job for it", Assert.Single(await provider.ObserveAsync(Ct)).Reason);
        await provider.ReleaseAsync(new("none"), Ct);
        Assert.Empty(await provider.ObserveAsync(Ct));
    }

    private async Task What_waits_for_a_limit_says_so()
    {
        await _cluster!.AskAsync("sacctmgr -i add qos small && sacctmgr -i modify qos small set GrpTRES=gres/gpu=1 && sacctmgr -i modify user $(id -un) set qos+=small", Ct);
        await using var provider = Provider(s => s with { Account = "puces", Qos = "small" });
        await UntilAsync(provider, Asked("first"), l => l.State is LeaseState.Ready);
        await UntilAsync(provider, Asked("second"), l => l.Reason?.StartsWith("its QOS has reached a limit (QOSGrp", StringComparison.Ordinal) == true);
        Assert.Equal("puces|small", await _cluster.AskAsync("squeue -h -t pending -o '%a|%q'", Ct));
        await provider.ReleaseAsync(new("second"), Ct);
        await provider.ReleaseAsync(new("first"), Ct);
    }

    private async Task How_a_job_ended_that_slurm_has_forgotten_is_known()
    {
        await using var provider = Provider(s => s);
        await UntilAsync(provider, Asked("forgotten"), l => l.State is LeaseState.Ready);
        // Killed so that it cannot say anything.
        await _cluster!.AskAsync($"pkill -KILL -f 'slurm_scrip[t] {_cluster.Shared}/.*/forgotten '", Ct);
        for (var tries = 300; (await _cluster.AskAsync("squeue -h -t all -o %k | grep ':forgotten$'", Ct)).Length > 0; await Task.Delay(200, Ct)) Assert.True(--tries > 0, "Slurm does not forget");
        var lease = (await provider.ObserveAsync(Ct)).Single(l => l.Id.Value == "forgotten");
        Assert.Equal(LeaseState.Ended, lease.State);
        Assert.Matches(@"^job \d+ ended \(FAILED\)$", lease.Reason);
        // It is written down.
        Assert.Equal("FAILED", (await File.ReadAllTextAsync(Path.Combine(_cluster.Shared, "suite", "cluster", "leases", "forgotten", "end"), Ct)).Trim());
        Assert.Equal(LeaseState.Ended, (await provider.ObserveAsync(Ct)).Single(l => l.Id.Value == "forgotten").State);
        await provider.ReleaseAsync(lease.Id, Ct);
    }

    private SlurmProvider Provider(Func<SlurmPool, SlurmPool> with) =>
        new(_cluster!.Pool() with { Slurm = with(_cluster.Pool().Slurm!) }, NativeRunner.Path, "/dev/null", "suite", TimeProvider.System);

    private static LeaseRequest Asked(string id) => new(new(id), "suite", "batch", 1, "fake", 1, 1000, new Memory(256 << 20), TimeSpan.FromMinutes(5), default);

    private static async Task UntilAsync(SlurmProvider provider, LeaseRequest request, Func<Lease, bool> isSo)
    {
        await provider.AcquireAsync(request, Ct);
        for (var tries = 150; !isSo((await provider.ObserveAsync(Ct)).Single(l => l.Id == request.Id)); await Task.Delay(200, Ct)) Assert.True(--tries > 0, "it does not come to that");
    }
}
