using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;

namespace Puces.Providers.Ssh;

/// <summary>Hosts that somebody owns, reached by OpenSSH: no root, no daemon, no port on them. Each is a lease without end.</summary>
/// <param name="runner">The native <c>puces-runner</c>.</param>
/// <param name="knownHosts">A file for the keys of hosts that were met.</param>
/// <param name="instance">Keeps the files of several daemons on one host apart.</param>
public sealed class SshProvider(Pool pool, string runner, string knownHosts, string instance, TimeProvider clock) : IProvider
{
    private SshPool Ssh => pool.Ssh!;

    public string Name => "ssh";

    /// <summary>What each host has. One that does not answer is an offer with a problem.</summary>
    public async Task<IReadOnlyList<Offer>> OffersAsync(CancellationToken ct) => await Task.WhenAll(Ssh.Hosts.Select(h => OfferAsync(h, ct)));

    /// <summary>Brings the runner to the host of that name.</summary>
    public async Task<Lease> AcquireAsync(LeaseRequest request, CancellationToken ct)
    {
        var host = Ssh.Hosts.FirstOrDefault(h => h.Name == request.Kind) ?? throw new ProviderException(Remedy.Elsewhere, $"{pool.Name} has no host {request.Kind}");
        await AskAsync(host, ["version"], ct);
        return LeaseOf(host);
    }

    public Task<IReadOnlyList<Lease>> ObserveAsync(CancellationToken ct) => Task.FromResult<IReadOnlyList<Lease>>([.. Ssh.Hosts.Select(LeaseOf)]);

    /// <summary>A host stays where it is: there is nothing to give back.</summary>
    public Task ReleaseAsync(LeaseId id, CancellationToken ct) => Task.CompletedTask;

    public INodeShell ShellTo(Lease lease, LeaseNode node) => ShellTo(Ssh.Hosts.First(h => h.Name == node.Name));

    public async IAsyncEnumerable<CheckStep> CheckAsync([EnumeratorCancellation] CancellationToken ct)
    {
        yield return await SshCheck.ClientAsync(ct);
        foreach (var host in Ssh.Hosts)
            await foreach (var step in new SshCheck(CommandTo(host), ShellTo(host), host.Name, Ssh.Shared).StepsAsync(ct))
                yield return step;
        if (Ssh.Shared is { } shared && Ssh.Hosts.Count > 1)
            yield return await SshCheck.SharedAsync(shared, [.. Ssh.Hosts.Select(h => (h.Name, CommandTo(h)))], ct);
    }

    public ValueTask DisposeAsync() => default;

    private static Lease LeaseOf(SshHost host) => new(new(host.Name), LeaseState.Ready, [new(host.Name, host.Address)]);

    private SshCommand CommandTo(SshHost host) => new(Ssh, host, knownHosts, pool.TermOrDefault ?? Pool.DefaultTerm);

    private SshShell ShellTo(SshHost host) => new(CommandTo(host), Ssh, host, runner, instance);

    private async Task<Offer> OfferAsync(SshHost host, CancellationToken ct)
    {
        try
        {
            var devices = JsonSerializer.Deserialize(await AskAsync(host, ["devices"], ct), RunnerJson.Default.IReadOnlyListDevice) ?? [];
            return new(host.Name, devices.Count > 0 ? devices[0].Model : null, devices.Count, 0, default(Memory), 1, devices.Count, 1, clock.GetUtcNow());
        }
        catch (ProviderException e)
        {
            return new(host.Name, null, 0, 0, default(Memory), 1, 0, 0, clock.GetUtcNow(), Problem: e.Message);
        }
    }

    private async Task<string> AskAsync(SshHost host, IReadOnlyList<string> command, CancellationToken ct)
    {
        await using var process = await ShellTo(host).StartAsync(command, ct);
        process.Input.Close();
        using var output = new StreamReader(process.Output);
        using var errors = new StreamReader(process.Errors);
        var said = errors.ReadToEndAsync(ct);
        var answer = await output.ReadToEndAsync(ct);
        if (await process.WaitAsync(ct) is not 0 and var code)
            throw new ProviderException(Remedy.Ask, $"the runner on {host.Name} ended with exit code {code.ToString(CultureInfo.InvariantCulture)}: {(await said).Trim()}");
        return answer;
    }
}
