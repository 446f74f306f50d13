using Puces.Core.Jobs;

namespace Puces.Core.Packing;

/// <summary>Says where a pod goes. One is made for each run, and learns in it what it learns.</summary>
internal abstract class PackPolicy
{
    /// <summary>A pod arrives: a spot that has room for it, or null where no node has.</summary>
    public abstract Spot? Choose(Shape shape);

    /// <summary>The pod now is where the policy chose.</summary>
    public virtual void Placed(Spot spot)
    {
    }
}

/// <summary>What a policy is made from.</summary>
/// <param name="Shapes">Every shape that arrives.</param>
/// <param name="Arrivals">The pods that will arrive, by shape: only those policies look at it that are told the mix.</param>
internal sealed record PackStart(PackWorld World, IReadOnlyList<Shape> Shapes, IReadOnlyList<int> Arrivals, SplitMix Luck);

/// <summary>The policies by their names.</summary>
public static class PackPolicies
{
    /// <summary>Our own policy, and what is used where none is named.</summary>
    public const string Default = "puces";

    private static readonly (string Name, Func<PackStart, PackPolicy> Make)[] All =
    [
        ("random", s => new RandomFit(s)), ("packing", s => new UsedGpusFirst(s)), ("best-fit", s => new BestFit(s)),
        ("fgd", s => new FragmentationGradient(s)), (Default, s => new KeepRoom(s)),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(p => p.Name)];

    /// <summary>What is wrong with a policy's name, in words for people; null where there is one of that name.</summary>
    public static string? Mistake(string name) =>
        Names.Contains(name) ? null
        : $"there is no policy '{name}'" + (Nearest.Of(name, Names) is { } near ? $"; did you mean '{near}'?" : $"; there are {string.Join(", ", Names)}");

    internal static PackPolicy Make(string name, PackStart start) =>
        Array.Find(All, p => p.Name == name) is { Make: { } make } ? make(start) : throw new ArgumentException(Mistake(name), nameof(name));
}
