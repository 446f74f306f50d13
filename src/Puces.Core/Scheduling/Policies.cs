namespace Puces.Core.Scheduling;

/// <summary>The policies by name.</summary>
public static class Policies
{
    private static readonly (string Name, Func<IPolicy> Make)[] All =
    [
        ("fifo", () => new Fifo()), ("sjf", () => new Sjf()), ("srsf", () => new Srsf()), ("las", () => new Las()), ("qssf", () => new Qssf()),
        ("fair-share", () => new FairShare()), ("gittins", () => new PucesPolicy(isBounded: false)), ("puces", () => new PucesPolicy()),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(p => p.Name)];

    /// <summary>A new one; null where the name is unknown.</summary>
    public static IPolicy? Find(string name)
    {
        foreach (var (known, make) in All)
            if (known == name) return make();
        return null;
    }
}
