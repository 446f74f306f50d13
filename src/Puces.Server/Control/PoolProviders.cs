using Puces.Core.Fleet;
using Puces.Providers;
using Puces.Providers.Kubernetes;
using Puces.Providers.Local;
using Puces.Providers.Slurm;
using Puces.Providers.Ssh;

namespace Puces.Server.Control;

/// <summary>Makes the provider that a pool is declared with.</summary>
public sealed class PoolProviders(ServerOptions options, TimeProvider clock)
{
    /// <summary>Keeps what several daemons leave at one place apart; the store's own, so that the next leader finds what this one has left.</summary>
    internal string Instance { get; set; } = "";

    /// <exception cref="ProviderException">Nobody knows such a provider, or the declaration lacks something.</exception>
    public IProvider Of(Pool pool) => pool switch
    {
        { Provider: "local" } => new LocalProvider(pool, options.Runner, Path.Combine(options.Data, "runner"), Path.Combine(options.Data, "blobs"), clock),
        { Provider: "ssh", Ssh: not null } => new SshProvider(pool, options.Runner, Path.Combine(options.Data, "ssh", "known_hosts"), Instance, clock),
        { Provider: "slurm", Slurm: not null } => new SlurmProvider(pool, options.Runner, Path.Combine(options.Data, "ssh", "known_hosts"), Instance, clock),
        { Provider: "kubernetes", Kubernetes: not null } => new KubernetesProvider(pool, options.Runner, Instance, clock),
        _ => throw new ProviderException(Remedy.Ask, $"pool {pool.Name} has a provider that this version does not know: {pool.Provider}"),
    };
}
