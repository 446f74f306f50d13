namespace Puces.Core.Scheduling;

/// <summary>The policies by name.</summary>
public static class Policies
{
    private static readonly (string Name, Func<History, IPolicy> Make)[] All =
    [
        ("fifo", _ => new Fifo()), ("sjf", _ => new Sjf()), ("srsf", _ => new Srsf()), ("las", _ => new Las()), ("puces", h => new PucesPolicy(h)),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(p => p.Name)];

    /// <summary>A new one, which goes by this history; null where the name is unknown.</summary>
    public static IPolicy? Find(string name, History history)
    {
        foreach (var (known, make) in All)
            if (known == name) return make(history);
        return null;
    }
}
