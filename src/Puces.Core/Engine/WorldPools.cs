using Puces.Core.Fleet;

namespace Puces.Core.Engine;

// Pools as they are declared, and their nodes as they are seen.
public sealed partial class World
{
    private readonly Dictionary<string, Opening> _opening = new(StringComparer.Ordinal);

    /// <summary>A pool that was asked to be opened or closed, and has not answered each time.</summary>
    /// <param name="before">The answer that has to come before anything is believed of nodes that were declared before that.</param>
    private sealed class Opening(int before)
    {
        private readonly Dictionary<string, int> _needed = new(StringComparer.Ordinal);
        private int _more, _answered;

        public void Ask(IEnumerable<string> changed)
        {
            _more++;
            foreach (var node in changed) _needed[node] = before + _more;
        }

        /// <summary>True where no answer is outstanding any more.</summary>
        public bool Answer() => ++_answered >= before + _more;

        /// <summary>What is told of a node comes from where it is declared now.</summary>
        public bool Believes(string node) => _answered >= _needed.GetValueOrDefault(node, before);
    }

    private Answer SetPool(Pool pool, Batch batch)
    {
        var was = _pools.GetValueOrDefault(pool.Name);
        HashSet<string> kept = was is null ? [] : [.. pool.NodeNames().Where(n => was.NodeNames().Contains(n) && was.DeclarationOf(n) == pool.DeclarationOf(n)).Select(n => $"{pool.Name}/{n}")];
        if (pool.Price is { } price && _pools.Values.FirstOrDefault(p => p.Name != pool.Name && p.Price is { } other && other.Currency != price.Currency) is { } paid)
            return new(Error: $"the price is in {price.Currency}, and that of pool {paid.Name} in {paid.Price!.Value.Currency}: write all in one currency");
        if (Vacate(pool.Name, was, pool, kept, batch) is { } refusal) return new(Error: refusal);
        _pools[pool.Name] = pool;
        batch.Add(new Change.PoolSet(pool));
        batch.Effects.Add(new Effect.OpenPool(pool));
        return Answer.Taken;
    }

    private Answer RemovePool(string name, Batch batch)
    {
        if (!_pools.TryGetValue(name, out var pool)) return new(Error: $"there is no pool {name}");
        if (Vacate(name, pool, null, [], batch) is { } refusal) return new(Error: refusal);
        foreach (var window in _grid.Windows.Values.Where(w => w.Pool == name && w.IsAhead(batch.Now)).Select(w => w.Number).ToList()) RemoveWindow(window, batch);
        foreach (var lease in _leases.Values.Where(l => l.Pool == name).ToList()) Release(lease, batch);
        _offers.Remove(name);
        foreach (var kind in _waits.Keys.Where(w => w.Pool == name).Select(w => w.Kind).Order(StringComparer.Ordinal).ToList())
        {
            _waits.Remove((name, kind));
            batch.Add(new Change.NoteSet(LeaseNotes.Wait(name, kind), null));
        }
        _pools.Remove(name);
        batch.Add(new Change.PoolSet(pool, IsRemoved: true));
        batch.Effects.Add(new Effect.ClosePool(name));
        return Answer.Taken;
    }

    /// <summary>Lets go of all nodes of the pool but those that are kept; says why where a job is on one of them.</summary>
    private string? Vacate(string pool, Pool? was, Pool? now, HashSet<string> kept, Batch batch)
    {
        bool IsLeft(string node) => node.StartsWith(pool + "/", StringComparison.Ordinal) && !kept.Contains(node);
        var busy = _attempts.SelectMany(a => a.Value.Ranks.Where(r => IsLeft(r.Node)).Select(r => (Job: a.Key, r.Node))).Order().ToList();
        if (busy.Count > 0)
        {
            var (node, jobs) = (busy[0].Node, busy.Select(b => b.Job).Distinct().Count());
            return $"{node} is held by job {busy[0].Job}{(jobs > 1 ? $" and {jobs - 1} more" : "")}: wait for them, or drain it (puces pools drain {pool} --node {node[(pool.Length + 1)..]}), then change the pool";
        }
        var left = _holdings.Uses.Keys.Where(IsLeft).ToList();
        foreach (var node in left)
        {
            Heard(node);
            _holdings.Remove(node);
            _grid.Remove(node);
            batch.Nodes.Add(node);
        }
        foreach (var node in _faults.Keys.Where(IsLeft).ToList()) ForgetFaults(node, batch);
        Unavoid(null, batch);
        if (!_opening.TryGetValue(pool, out var opening)) _opening[pool] = opening = new(0);
        opening.Ask([.. left, .. (was?.NodeNames() ?? []).Concat(now?.NodeNames() ?? []).Select(n => $"{pool}/{n}").Where(IsLeft)]);
        return null;
    }

    private void PoolOpened(string pool)
    {
        if (_opening.TryGetValue(pool, out var opening) && opening.Answer()) _opening.Remove(pool);
    }

    private void NodeSeen(Command.NodeSeen c, Batch batch)
    {
        if (_opening.TryGetValue(c.Node.Pool, out var opening) && !opening.Believes(c.Node.Id)) return;
        if (Arrive(c.Node, batch)) return;
        // Its lease was given back while it said hello: it is nobody's, and soon gone.
        if (_pools.TryGetValue(c.Node.Pool, out var pool) && pool.HasLine && !_leaseOf.ContainsKey(c.Node.Id)) return;
        var was = _holdings.Find(c.Node.Id);
        if (c.Node.IsUp) Heard(c.Node.Id);
        else Unheard(c.Node.Id, batch.Now);
        _grid.Set(c.Node);
        Set(c.Node);
        batch.Nodes.Add(c.Node.Id);
        if (was?.IsUp != c.Node.IsUp)
            batch.Say(c.Node.IsUp ? "node-up" : "node-down", c.Node.IsUp ? $"{c.Node.Id} is up" : $"{c.Node.Id} cannot be reached: {c.Node.Problem}");
        if (c.Ranks is not null) Reconcile(c.Node.Id, c.Ranks, batch);
    }

    /// <summary>What ran there is gone with the node: this is evidence, where a node that cannot be reached is none.</summary>
    private void NodeGone(string node, Batch batch)
    {
        var jobs = _holdings.JobsOn(node)?.ToList() ?? [];
        if (_holdings.Find(node) is null && jobs.Count == 0) return;
        Heard(node);
        _holdings.Remove(node);
        _grid.Remove(node);
        batch.Nodes.Add(node);
        batch.Say("node-gone", $"{node} has left its pool");
        ForgetFaults(node, batch);
        foreach (var job in jobs)
        {
            var attempt = _jobs[job].Attempt;
            var ranks = _attempts[job].Ranks;
            for (var i = 0; i < ranks.Length; i++)
                if (ranks[i].Node == node) RankOver(attempt, i, node, r => r.Evidence = "the node has left its pool", batch);
        }
        Unavoid(null, batch);
    }
}
