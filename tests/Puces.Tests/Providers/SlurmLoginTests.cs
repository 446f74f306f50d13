using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Providers.Slurm;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>A real Slurm cluster that is spoken to by a login node alone.</summary>
public sealed class SlurmLoginTests(SlurmFixture fixture) : ProviderSuite, IClassFixture<SlurmFixture>, IAsyncLifetime
{
    private readonly string _knownHosts = Path.GetTempFileName();

    protected override async Task<IProvider> OpenAsync() => Provider(await (await fixture.StartAsync()).PoolByLoginAsync(Ct));

    protected override LeaseRequest Request(LeaseId id, Offer offer) =>
        new(id, "suite", offer.Kind, 1, "fake", 1, 1000, new Memory(256 << 20), TimeSpan.FromMinutes(5), default);

    private SlurmProvider Provider(Pool pool) => new(pool, NativeRunner.Path, _knownHosts, "suite", TimeProvider.System);

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        if (fixture.IsUp)
        {
            var cluster = await fixture.StartAsync();
            await using var provider = Provider(cluster.Pool());
            foreach (var lease in await provider.ObserveAsync(Ct)) await provider.ReleaseAsync(lease.Id, Ct);
            await UntilAsync(async () => (await provider.ObserveAsync(Ct)).Count == 0 && (await provider.OffersAsync(Ct)).All(o => o.FreeDevices == 16));
        }
        File.Delete(_knownHosts);
    }

    [Fact]
    public async Task However_often_it_is_asked_it_logs_in_once_and_again_when_the_connection_breaks()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(await cluster.PoolByLoginAsync(Ct));
        var before = cluster.Logins;
        for (var i = 0; i < 10; i++) await provider.ObserveAsync(Ct);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => provider.OffersAsync(Ct)));
        Assert.Equal(1, cluster.Logins - before);
        await cluster.DropLoginsAsync(Ct);
        await UntilAsync(async () =>
        {
            try
            {
                return (await provider.OffersAsync(Ct)).Count == 1;
            }
            catch (ProviderException e) when (e.Remedy is Remedy.Retry)
            {
                return false;
            }
        });
        Assert.InRange(cluster.Logins - before, 2, 4);
    }

    [Fact]
    public async Task A_gang_goes_on_whatever_becomes_of_the_way_to_it()
    {
        var cluster = await fixture.StartAsync();
        await using var daemon = new DaemonProcess().With("PUCES_RUNNER", NativeRunner.Path);
        await daemon.StartAsync(Ct);
        using var reply = await daemon.Http.PutAsJsonAsync("api/v1/pools/jean", new SetPool(Provider: "slurm", Slurm: (await cluster.PoolByLoginAsync(Ct)).Slurm), ContractJson.Default.SetPool, Ct);
        Assert.True(reply.IsSuccessStatusCode, await reply.Content.ReadAsStringAsync(Ct));
        var job = await daemon.SubmitAsync("for i in $(seq 12); do echo line $i; sleep 0.5; done; exit 3", Ct, spec => spec with { Nodes = 2, Gpus = [new GpuRequest(1)], Where = ["jean"] });
        await daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        await cluster.DropLoginsAsync(Ct);
        await Task.Delay(TimeSpan.FromSeconds(1), Ct);
        await cluster.DropLoginsAsync(Ct);
        var end = await daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("failed", 3, 1), (end.Job.State, end.Job.ExitCode, end.Attempts.Count));
        Assert.Equal(24, (await daemon.LogAsync(job.Id, Ct)).Count(l => l.Text.StartsWith("line ", StringComparison.Ordinal)));
        await UntilAsync(async () => (await cluster.AskAsync("squeue -h -o %i", Ct)).Length == 0);
    }
}
