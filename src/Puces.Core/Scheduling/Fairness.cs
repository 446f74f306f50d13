using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

// Projects: who goes first, who owns what, what may be borrowed, and who gives it back.
public sealed partial class Scheduler
{
    /// <summary>For its share alone nobody is stopped before it has had its devices so long, and whoever had to begin again for nothing at all.</summary>
    public static readonly TimeSpan LeastTurn = TimeSpan.FromMinutes(5);

    /// <summary>What a part without devices counts for, in thousandths of an H100.</summary>
    private const long PaceWithoutDevices = 10;

    private static readonly Account.Step[] NoPath = [];

    private readonly Shares _shares = new();
    // Claims that gave their devices back since the last pass: usage is reckoned when it is known what time it is.
    private readonly List<(Account Account, long Pace)> _rested = [];
    // Who was refused victims, and when that is worth asking again.
    private readonly Dictionary<(int Shape, Account Account, int Priority), (TimeSpan? Ticked, long Pass, long Version, long Rank)> _refusedOf = [];
    private readonly List<(Way Way, string Model)[]> _modelsOf = [];
    private int _kindsSeen;

    /// <summary>The projects.</summary>
    public Shares Shares => _shares;

    /// <summary>A project is as given from now on.</summary>
    public void Set(Project project)
    {
        _shares.Set(project);
        _isChanged = true;
    }

    /// <summary>Why a claim waits, whatever is free: its project or its owner holds all that they may; null where they do not.</summary>
    /// <param name="coming">What was asked for elsewhere and counts as if it were held.</param>
    public string? HeldBackBy(Claim claim, IReadOnlyCollection<(string Project, string Owner, long Milli)>? coming = null) =>
        claim.Account is { } account ? _shares.OverDevices(account, claim.Owner, claim.Shape.Ways[0].Milli, coming) : null;

    /// <summary>Such as <c>A100:2 H100:8</c>, or <c>L4:0.5</c>: what a claim holds; null for no devices.</summary>
    public static string? DevicesOf(Claim claim) => claim.Take.Models.Count == 0 ? null
        : string.Join(' ', claim.Take.Models.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Model}:{m.Milli / 1000m:0.###}")));

    // A policy that does not share by project leaves quotas aside too.
    private bool IsShared => policy.SharesByProject && _shares.IsShared;
    private bool HasQuotas => policy.SharesByProject && _shares.HasQuotas;

    private bool IsHeldBack(Claim claim) => _shares.HasLimits && HeldBackBy(claim) is not null;

    internal Account.Step[] PathOf(Account? account, TimeSpan now) => account is not null && IsShared ? account.Path(now, _shares.Version) : NoPath;

    /// <summary>It would take more than its project owns, of a model that somebody owns.</summary>
    internal bool IsBeyond(Claim claim) => IsBeyond(claim.Account, claim.Shape, isCounted: claim.Take != Take.Nothing);

    /// <param name="isCounted">What it takes is promised to it, or held by it, and so counted already.</param>
    internal bool IsBeyond(Account? account, Shape shape, bool isCounted = false) => HasQuotas && account is not null
        && Array.Exists(ModelsOf(shape), m => _shares.IsOwned(m.Model)) && !IsWithin(shape, isCounted, account, _shares.Root, null);

    /// <summary>Whether the claim would be within what its project, or one above it but below <paramref name="top"/>, owns of a model.</summary>
    /// <param name="of">Only of these; null for all.</param>
    private bool IsWithin(Claim claim, Account account, Account top, Take? of) => IsWithin(claim.Shape, claim.Take != Take.Nothing, account, top, of);

    private bool IsWithin(Shape shape, bool isCounted, Account account, Account top, Take? of)
    {
        foreach (var (way, model) in ModelsOf(shape))
        {
            if (of is not null && of.Of(model) == 0) continue;
            for (var at = account; at != top; at = at.Above!)
                if (at.Project.Owns(model) is > 0 and var own && at.Held(model) + (isCounted ? 0 : way.Milli) <= 1000L * own) return true;
        }
        return false;
    }

    /// <summary>The models that each way of a shape could be given.</summary>
    private (Way Way, string Model)[] ModelsOf(Shape shape)
    {
        if (_kindsSeen != grid.Kinds.Count)
        {
            _modelsOf.Clear();
            _kindsSeen = grid.Kinds.Count;
        }
        while (_modelsOf.Count <= shape.Index) _modelsOf.Add(null!);
        return _modelsOf[shape.Index] ??= [.. shape.Ways.SelectMany(w => grid.ModelsFor(w).Select(m => (w, m)))];
    }

    private Take TakeOf(IReadOnlyList<Part> parts)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var pace = 0L;
        foreach (var part in parts)
        {
            if (part.Devices == 0) pace += PaceWithoutDevices;
            foreach (var device in grid.NodeAt(part.Node).Devices)
            {
                if ((part.Devices >> device.Index & 1) == 0) continue;
                var milli = part.Share > 0 ? part.Share : 1000;
                counts[device.Model] = counts.GetValueOrDefault(device.Model) + milli;
                pace += Accelerators.WeightOf(device.Model) * (long)milli / 1000;
            }
        }
        return new([.. counts.Select(c => (c.Key, c.Value))], counts.Values.Sum(), pace);
    }

    /// <summary>The same from how it was stored: the nodes may not have been seen yet.</summary>
    private static Take Stored(string devices, IReadOnlyList<Part> parts)
    {
        var models = new List<(string, int)>();
        var (all, pace) = (0, parts.Count(p => p.Devices == 0) * PaceWithoutDevices);
        foreach (var one in devices.Split(' '))
        {
            var colon = one.LastIndexOf(':');
            if (colon < 0 || !decimal.TryParse(one.AsSpan(colon + 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var n)) continue;
            var milli = (int)(n * 1000);
            models.Add((one[..colon], milli));
            (all, pace) = (all + milli, pace + Accelerators.WeightOf(one[..colon]) * (long)milli / 1000);
        }
        return new(models, all, pace);
    }

    private void Count(Claim claim)
    {
        if (!policy.SharesByProject) return;
        claim.Account ??= _shares.Find(claim.Project);
        Shares.Wait(claim.Account, claim.Owner, 1);
    }

    private void Unwait(Claim claim)
    {
        _waiting.Remove(claim);
        if (claim.Account is { } account) Shares.Wait(account, claim.Owner, -1);
    }

    private void Run(Claim claim, IReadOnlyList<Part> parts, TimeSpan now, string devices, bool isRestored)
    {
        if (!policy.SharesByProject) return;
        var account = claim.Account ??= _shares.Find(claim.Project);
        claim.Take = devices.Length > 0 ? Stored(devices, parts) : TakeOf(parts);
        Shares.Count(account, claim.Take, claim.Owner, 1);
        if (isRestored) Shares.Restore(account, claim.Take.Pace, now);
        else _shares.Run(account, claim.Take.Pace, now);
    }

    private void Rest(Claim claim)
    {
        if (claim.Account is not { } account) return;
        if (!claim.IsLeaving) Discount(claim, -1);
        _rested.Add((account, claim.Take.Pace));
        claim.Take = Take.Nothing;
    }

    private void Settle(TimeSpan now)
    {
        foreach (var (account, pace) in _rested) _shares.Run(account, -pace, now);
        _rested.Clear();
    }

    private static void Discount(Claim claim, int sign)
    {
        if (claim.Account is { } account) Shares.Count(account, claim.Take, claim.Owner, sign);
    }

    private void Promised(Claim claim, Part[] parts)
    {
        if (claim.Account is not { } account) return;
        claim.Take = TakeOf(parts);
        Discount(claim, 1);
        _shares.Promise(account, claim.Take.Pace);
    }

    private void Unpromised(Claim claim)
    {
        if (claim.Account is not { } account) return;
        Discount(claim, -1);
        _shares.Promise(account, -claim.Take.Pace);
        claim.Take = Take.Nothing;
    }

    /// <summary>Where the claim can start now; null where it cannot.</summary>
    /// <param name="isFull">No other claim of its shape could either.</param>
    private Part[]? PlaceOf(Claim claim, TimeSpan now, out bool isFull)
    {
        var terms = new Grid.Terms(UntilOf(claim, now));
        isFull = true;
        foreach (var way in claim.Shape.Ways)
        {
            var parts = grid.Place(way, terms, policy.IsStrict);
            if (parts is not null || grid.ClosesTooSoon) isFull = false;
            if (parts is not null && (claim.CanYield || !HasQuotas || claim.Account is null || MayBorrow(claim.Account, TakeOf(parts), parts))) return parts;
        }
        return null;
    }

    /// <summary>What another owns and does not use is only for those that can be stopped when it is asked back.</summary>
    private bool MayBorrow(Account account, Take take, IReadOnlyList<Part> parts)
    {
        foreach (var (model, milli) in take.Models)
        {
            var owed = 0L;
            for (var at = account; at.Above is { } above; at = above)
            {
                if (at.Project.Owns(model) is > 0 and var own && at.Held(model) + milli <= 1000L * own) break;
                foreach (var sister in above.Parts.Values)
                    if (sister != at) owed += sister.Unused(model);
            }
            if (owed > 0 && 1000L * (grid.FreeOf(model) - parts.Sum(p => grid.Opens(p, model))) < owed) return false;
        }
        return true;
    }

    /// <summary>Whether anything may be kept free, or freed, for the claim: not for one that would borrow and could not give it back.</summary>
    private bool MayHave(Claim claim) => claim.CanYield || !IsBeyond(claim);

    /// <summary>One that has left its devices to another has nobody stopped in turn for being likely to end sooner, or for a share.</summary>
    private static bool IsBack(Claim claim) => claim.HasLeft && !claim.IsDue;

    /// <summary>Why one that holds may be stopped for one that waits; null where it may not.</summary>
    private StopCause? CauseOf(Claim holding, Claim claim, Way way, TimeSpan now)
    {
        if (holding.Account is not { } from || claim.Account is not { } to) return IsBack(claim) || !policy.MayStop(holding, claim, now) ? null : StopCause.Sooner;
        // Who had to begin again is left for a while, whoever asks.
        if (holding.Attempts > 1 && now - holding.Since < LeastTurn) return null;
        if (from == to)
        {
            if (holding.Priority != claim.Priority) return holding.Priority < claim.Priority ? StopCause.Priority : null;
            return IsBack(claim) || !policy.MayStop(holding, claim, now) ? null : StopCause.Sooner;
        }
        var common = Shares.Common(from, to);
        for (var at = from; at != common; at = at.Above!)
            foreach (var (model, milli) in holding.Take.Models)
                if (at.Project.Owns(model) is > 0 and var own && at.Held(model) - milli < 1000L * own) return null;
        if (HasQuotas && IsWithin(claim, to, common, holding.Take)) return StopCause.Quota;
        if (holding.Priority != claim.Priority) return holding.Priority < claim.Priority ? StopCause.Priority : null;
        if (from == common || to == common || now - holding.Since < LeastTurn || IsBack(claim)) return null;
        var (giving, getting) = (Below(common, from), Below(common, to));
        return giving.Milli - holding.Take.Milli >= Shares.ShareOf(giving, grid.Devices)
            && getting.Milli + way.Milli <= Shares.ShareOf(getting, grid.Devices) ? StopCause.Share : null;
    }

    /// <summary>Whether <see cref="CauseOf"/> might let one of a project be stopped for the claim: it says no to all of a project that this rules out.</summary>
    private bool Might(Yielders yielders, Claim claim, Way way, TimeSpan now)
    {
        if (yielders.Count == 0) return false;
        if (claim.Priority > _leastPriority) return true;
        if (claim.Account is not { } to || yielders.Account is not { } from || from == to)
            return !IsBack(claim) && yielders.Might(this, claim, now, _pass);
        var common = Shares.Common(from, to);
        if (HasQuotas && IsWithin(claim, to, common, null)) return true;
        if (from == common || to == common || IsBack(claim)) return false;
        var (giving, getting) = (Below(common, from), Below(common, to));
        if (getting.Milli + way.Milli > Shares.ShareOf(getting, grid.Devices)) return false;
        var share = Shares.ShareOf(giving, grid.Devices);
        return giving.Milli >= share && giving.Milli - yielders.FewestMilli(_pass) >= share;
    }

    private static Account Below(Account top, Account account)
    {
        while (account.Above != top) account = account.Above!;
        return account;
    }

    // Time alone may let one be stopped, at a tick, and for its share one asks only then. What is owed of a quota depends on what all hold.
    private bool WasRefused(Claim claim, long rank)
    {
        if (_yielding == 0) return true;
        return _refusedOf.TryGetValue(KeyOf(claim), out var refused) && refused.Ticked == _ticked && _ticked is not null && rank >= refused.Rank
            && (refused.Pass == _pass || refused.Version == _shares.Version || !HasQuotas || !IsWithin(claim, claim.Account!, _shares.Root, null));
    }

    private void Refuse(Claim claim, long rank) => _refusedOf[KeyOf(claim)] = (_ticked, _pass, _shares.Version, rank);

    private static (int, Account, int) KeyOf(Claim claim) => (claim.Shape.Index, claim.Account!, claim.Priority);
}
