using System.Globalization;
using System.Text.RegularExpressions;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;

namespace Puces.Providers.Slurm;

/// <summary>
/// A cluster that Slurm runs, by the commands that every user of it has. A lease is one job for the whole gang; on its nodes the runner
/// serves mailboxes in a folder that the cluster shares, since nothing may be logged in to there.
/// </summary>
/// <param name="runner">The native <c>puces-runner</c>.</param>
/// <param name="knownHosts">A file for the keys of hosts that were met.</param>
/// <param name="instance">Keeps the files and jobs of several daemons on one cluster apart.</param>
public sealed partial class SlurmProvider(Pool pool, string runner, string knownHosts, string instance, TimeProvider clock) : IProvider
{
    // Slurm keeps limits on a grid of half a minute; its signal may come up to a minute early, and never after 65535 s.
    private const int MostGrace = 65_535;

    private static readonly TimeSpan NodesLast = TimeSpan.FromMinutes(1);

    // Two pools may be of one cluster: neither takes the leases of the other for its own.
    private readonly string _owner = $"{instance}/{pool.Name}";

    private readonly SlurmLogin _login = new(pool.Slurm!, runner, knownHosts, $"{instance}/{pool.Name}", pool.TermOrDefault ?? Pool.DefaultTerm);

    // Jobs that Slurm itself knows nothing of, and the accounting was asked about.
    private readonly HashSet<long> _forgotten = [];
    private IReadOnlyList<SlurmNode> _nodes = [];
    private DateTimeOffset _nodesSeen = DateTimeOffset.MinValue;

    private SlurmPool Slurm => pool.Slurm!;

    public string Name => "slurm";

    /// <summary>One for each partition and type of device. A partition that takes no jobs is an offer with a problem.</summary>
    public async Task<IReadOnlyList<Offer>> OffersAsync(CancellationToken ct)
    {
        var nodes = await NodesAsync(ct);
        var now = clock.GetUtcNow();
        IEnumerable<string> partitions = Slurm.Partitions.Count > 0 ? Slurm.Partitions : nodes.Select(n => n.Partition).Distinct(StringComparer.Ordinal);
        return [.. partitions.SelectMany(p => OffersOf(p, nodes, now))];
    }

    /// <summary>Asks Slurm for the gang's nodes in one job, unless it was asked before.</summary>
    public async Task<Lease> AcquireAsync(LeaseRequest request, CancellationToken ct)
    {
        if (!Plain.IsMatch(request.Id.Value)) throw new ArgumentException($"'{request.Id}' cannot name a folder", nameof(request));
        // What nodes there are changes rarely, and jobs come by the hundred.
        if (clock.GetUtcNow() - _nodesSeen > NodesLast) await NodesAsync(ct);
        var nodes = _nodes.Where(n => n.Partition == request.Kind).ToList();
        if (nodes.Count == 0) throw new ProviderException(Remedy.Elsewhere, $"{pool.Name} has no partition {request.Kind}", "sinfo shows those that there are");
        var options = string.Join(' ', OptionsFor(request, nodes).Select(CarriedRunner.Quoted));
        var answer = await _login.RunWithRunnerAsync(SlurmScripts.Acquire(request.Id.Value, CommentOf(request.Id), request.Nodes, options), ct);
        if (answer.Contains(SlurmScripts.Asked, StringComparison.Ordinal)) return new(request.Id, LeaseState.Waiting, []);
        return (await ObserveAsync(ct)).FirstOrDefault(l => l.Id == request.Id) ?? new(request.Id, LeaseState.Ended, [], "it was given back");
    }

    public async Task<IReadOnlyList<Lease>> ObserveAsync(CancellationToken ct)
    {
        var answer = await _login.RunAsync(SlurmScripts.Observe(_owner), ct);
        var parts = answer.Split("--\n", 3);
        var jobs = SlurmText.Jobs(parts[0]).ToLookup(j => j.Comment, StringComparer.Ordinal);
        List<(LeaseFile File, string? Over)> leases = parts.Length < 3 ? [] : [.. LeaseFile.Parse(parts[1], parts[2]).Select(f => (f, f.Over(jobs[CommentOf(new(f.Id))])))];
        var gone = leases.Where(l => l is { File.IsGivenBack: true, Over: not null }).Select(l => l.File.Id).ToList();
        var ended = leases.Where(l => l.Over is { Length: > 0 } state && state != l.File.End).Select(l => (l.File.Id, l.Over!)).ToList();
        var forgotten = leases.Where(l => l is { Over: "", File: { HasBegun: true, End: "", IsGivenBack: false, Job: { } job } } && _forgotten.Add(job)).Select(l => l.File).ToList();
        if (forgotten.Count > 0)
        {
            var past = (await _login.RunAsync(SlurmScripts.Past(forgotten.Select(f => f.Job!.Value)), ct)).Split('\n').Select(l => l.Split('|')).ToList();
            foreach (var file in forgotten)
                if (file.EndOf(past) is { } end) ended.Add((file.Id, end));
        }
        if (gone.Count + ended.Count > 0) await _login.RunAsync(SlurmScripts.Tidy(ended, gone), ct);
        var ends = ended.ToDictionary(e => e.Id, e => e.Item2);
        return
        [
            .. leases.Where(l => !gone.Contains(l.File.Id))
                .Select(l => (l.File with { End = ends.GetValueOrDefault(l.File.Id, l.File.End) }).Lease([.. jobs[CommentOf(new(l.File.Id))]])),
        ];
    }

    public async Task ReleaseAsync(LeaseId id, CancellationToken ct)
    {
        if (Plain.IsMatch(id.Value)) await _login.RunAsync(SlurmScripts.Release(id.Value, CommentOf(id)), ct);
    }

    public INodeShell ShellTo(Lease lease, LeaseNode node) =>
        new SlurmShell(_login, lease.Id, lease.Nodes.Index().First(n => n.Item.Name == node.Name).Index, lease.State is LeaseState.Ended or LeaseState.Lost);

    public IAsyncEnumerable<CheckStep> CheckAsync(CancellationToken ct) => new SlurmCheck(_login, Slurm).StepsAsync(ct);

    public ValueTask DisposeAsync() => _login.DisposeAsync();

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    private static partial Regex Plain { get; }

    private string CommentOf(LeaseId id) => $"puces:{_owner}:{id}";

    private async Task<IReadOnlyList<SlurmNode>> NodesAsync(CancellationToken ct)
    {
        _nodes = [.. SlurmText.Nodes(await _login.RunAsync($"sinfo -h -N -O '{SlurmText.NodeFields}'", ct))];
        _nodesSeen = clock.GetUtcNow();
        return _nodes;
    }

    private IEnumerable<Offer> OffersOf(string partition, IReadOnlyList<SlurmNode> all, DateTimeOffset now)
    {
        var nodes = all.Where(n => n.Partition == partition).ToList();
        if (nodes.Count == 0)
        {
            yield return new(partition, null, 0, 0, default(Memory), 0, 0, 0, now, Problem: $"the cluster has no partition {partition}, or hides it from us");
            yield break;
        }
        var typed = nodes.SelectMany(n => n.Gpus.Count > 0 ? n.Gpus.Select(g => (Node: n, g.Type, g.Count, g.Taken)) : [(n, "", 0, 0)]);
        foreach (var group in typed.GroupBy(t => t.Count > 0 ? ModelOf(t.Type) : null))
        {
            var serving = group.Where(t => t.Node.Serves).ToList();
            yield return new(
                partition, group.Key, group.Max(t => t.Count), group.Min(t => t.Node.Cpus) * 1000, new(group.Min(t => t.Node.MemoryMib) << 20), serving.Count,
                serving.Where(t => t.Node.FreeCpus > 0).Sum(t => Math.Max(0, t.Count - t.Taken)), serving.Count(t => t.Node.IsIdle && t.Taken == 0), now, nodes[0].Longest,
                !nodes[0].IsPartitionUp ? $"the partition {partition} is not up" : serving.Count == 0 ? $"all nodes of {partition} are down or drained" : null);
        }
    }

    // Devices that nobody names are devices nevertheless.
    private string ModelOf(string type) => Accelerators.ModelIn(type) ?? Slurm.Model ?? "GPU";

    private IEnumerable<string> OptionsFor(LeaseRequest request, IReadOnlyList<SlurmNode> nodes)
    {
        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
        yield return $"--job-name={request.Name}";
        yield return $"--comment={CommentOf(request.Id)}";
        yield return $"--partition={request.Kind}";
        yield return $"--nodes={Text(request.Nodes)}";
        yield return "--ntasks-per-node=1";
        yield return "--no-requeue";
        yield return "--open-mode=append";
        yield return "--export=HOME,PATH,USER,LOGNAME,SHELL,LANG";
        var (type, devices) = nodes.SelectMany(n => n.Gpus).Where(g => request.Model is null || ModelOf(g.Type) == request.Model).Select(g => (g.Type, g.Count)).OrderByDescending(g => g.Count).FirstOrDefault();
        if (request.Devices > 0)
        {
            if (devices == 0) throw new ProviderException(Remedy.Elsewhere, $"{request.Kind} has no {request.Model ?? "devices"}");
            var named = request.Model is null || string.IsNullOrEmpty(type) ? "" : type + ":";
            yield return (Slurm.GpusPerNode ? "--gpus-per-node=" : "--gres=gpu:") + named + Text(request.Devices);
        }
        if (Slurm.Exclusive)
        {
            yield return "--exclusive";
            yield return "--mem=0";
        }
        // The part of a node that goes with its devices, where nothing else is asked for; a whole one where none are.
        var (part, of) = request.Devices > 0 ? (request.Devices, Math.Max(request.Devices, devices)) : (1, 1);
        var cpus = request.MilliCpus > 0 ? (request.MilliCpus + 999) / 1000 : nodes.Min(n => n.Cpus) * part / of;
        yield return $"--cpus-per-task={Text(Math.Max(1, cpus))}";
        if (!Slurm.Exclusive) yield return $"--mem={Text(request.Memory.Bytes > 0 ? (request.Memory.Bytes + (1 << 20) - 1) >> 20 : Math.Max(1, nodes.Min(n => n.MemoryMib) * part / of))}M";
        if ((request.Limit ?? Slurm.Time) is { } time) yield return $"--time={Text((long)Math.Max(1, Math.Ceiling(time.TotalMinutes)))}";
        if (request.Grace > TimeSpan.Zero) yield return $"--signal=B:USR1@{Text(Math.Min(MostGrace, (long)Math.Ceiling(request.Grace.TotalSeconds)))}";
        if (Slurm.Account is { } account) yield return $"--account={account}";
        if (Slurm.Qos is { } qos) yield return $"--qos={qos}";
        if (Slurm.Constraint is { } constraint) yield return $"--constraint={constraint}";
        foreach (var option in Slurm.Options ?? []) yield return option;
    }
}
