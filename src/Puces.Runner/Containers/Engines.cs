namespace Puces.Runner.Containers;

/// <summary>The engines that Puces knows, and those that work here.</summary>
internal static class Engines
{
    /// <summary>The name in place of an engine's where the runner itself stands in the job's image: ranks run there as they are.</summary>
    public const string Inside = "inside";

    /// <summary>Set where that is so, by who made the image or the pod.</summary>
    public const string InsideVariable = "PUCES_IN_IMAGE";

    /// <summary>Names of engines, the preferred first; others are not used. All, in the order of <see cref="All"/>, where it is not set.</summary>
    public const string OrderVariable = "PUCES_ENGINES";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static readonly IReadOnlyList<Engine> All = [new Docker(), new Podman(), new Apptainer(), new Enroot()];

    public static Engine? Named(string? name) => All.FirstOrDefault(e => e.Name == name);

    /// <summary>The first that works; null where none does.</summary>
    public static string? Find()
    {
        if (Environment.GetEnvironmentVariable(InsideVariable) is { Length: > 0 }) return Inside;
        var order = Environment.GetEnvironmentVariable(OrderVariable)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var wanted = order is { Length: > 0 } ? order.Select(Named).OfType<Engine>() : All;
        return wanted.FirstOrDefault(e => Tool.Run(e.Probe, Patience, () => false) is { ExitCode: 0 })?.Name;
    }
}
