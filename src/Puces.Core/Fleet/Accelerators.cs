using System.Globalization;
using System.Text.RegularExpressions;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>A model of device.</summary>
/// <param name="Memory">Of one device.</param>
/// <param name="Bf16">Dense bf16 TFLOP/s, as the vendor's data sheet states; null where it has none.</param>
/// <param name="Fp16">Dense fp16 TFLOP/s, where it has no bf16.</param>
public sealed record Accelerator(string Name, string Vendor, Memory Memory, double? Bf16, double? Fp16 = null)
{
    /// <summary>Dense half-precision TFLOP/s.</summary>
    public double Half => Bf16 ?? Fp16 ?? Accelerators.Reference;

    /// <summary>What one device counts for, in thousandths of an H100.</summary>
    public int Weight => Math.Max(1, (int)Math.Round(Half / Accelerators.Reference * 1000));
}

/// <summary>
/// The accelerators that virtual pools and requests by need know. Figures are those of the vendors' public data sheets
/// (NVIDIA H100, H200, B200, A100, L4, L40S, A10, V100, T4, RTX 4090; AMD Instinct MI250, MI300X; Intel Gaudi 3, Max 1550).
/// V100 (SXM2) and T4 have no bf16: theirs is the fp16 of their tensor cores.
/// </summary>
public static partial class Accelerators
{
    /// <summary>Dense half-precision TFLOP/s of the H100 (SXM), against which all others are weighed.</summary>
    public const double Reference = 989;

    private static readonly Dictionary<string, int> Weights = new(StringComparer.OrdinalIgnoreCase);

    private static Memory Gb(int gigabytes) => new(gigabytes * 1_000_000_000L);

    public static readonly IReadOnlyList<Accelerator> All =
    [
        new("A10", "nvidia", Gb(24), 125), new("A100", "nvidia", Gb(40), 312), new("A100-80GB", "nvidia", Gb(80), 312),
        new("B200", "nvidia", Gb(180), 2250), new("GAUDI3", "intel", Gb(128), 1835), new("H100", "nvidia", Gb(80), 989),
        new("H200", "nvidia", Gb(141), 989), new("L4", "nvidia", Gb(24), 121), new("L40S", "nvidia", Gb(48), 362),
        new("MAX1550", "intel", Gb(128), 832), new("MI250", "amd", Gb(128), 362), new("MI300X", "amd", Gb(192), 1307),
        new("RTX4090", "nvidia", Gb(24), 165), new("T4", "nvidia", Gb(16), null, 65),
        new("V100", "nvidia", Gb(16), null, 125),
    ];

    static Accelerators()
    {
        foreach (var accelerator in All) Weights[accelerator.Name] = accelerator.Weight;
    }

    /// <summary>What a device of a model counts for, in thousandths of an H100; one that nobody knows counts as one.</summary>
    public static int WeightOf(string model) => Weights.TryGetValue(model, out var weight) ? weight : Instance(model)?.Weight ?? 1000;

    /// <summary>A model of the table, or a MIG instance of one, such as <c>A100-1G.5GB</c>; null where nobody knows it.</summary>
    public static Accelerator? Find(string name) =>
        All.FirstOrDefault(a => string.Equals(a.Name, name, StringComparison.OrdinalIgnoreCase)) ?? Instance(name);

    /// <summary>
    /// The model in what others call a device, as the catalogue has it: <c>nvidia_a100_80gb_pcie</c> is an A100-80GB, <c>NVIDIA-GeForce-RTX-4090</c> an
    /// RTX4090. A stranger keeps its name; null for no name.
    /// </summary>
    public static string? ModelIn(string name)
    {
        if (name.Length == 0) return null;
        if (Find(name) is { } same) return same.Name;
        if (name.IndexOf("-MIG-", StringComparison.Ordinal) is > 0 and var mig && ModelIn(name[..mig]) is { } device) return $"{device}-{name[(mig + 5)..].ToUpperInvariant()}";
        var words = name.Split('_', '-', ' ');
        var pairs = words.Zip(words.Skip(1), string.Concat);
        return All.Where(a => a.Name.Split('-').All(w => words.Concat(pairs).Contains(w, StringComparer.OrdinalIgnoreCase))).MaxBy(a => a.Name.Length)?.Name ?? name;
    }

    /// <summary>
    /// A MIG instance has of its device's speed the portion that its compute slices are of all seven, and the memory that its profile
    /// names (NVIDIA Multi-Instance GPU User Guide, supported profiles of A100, H100, H200 and B200).
    /// </summary>
    private static Accelerator? Instance(string name)
    {
        if (Profile.Match(name) is not { Success: true } parts || Find(parts.Groups["device"].Value) is not { Vendor: "nvidia" } device) return null;
        var slices = int.Parse(parts.Groups["c"].Success ? parts.Groups["c"].ValueSpan : parts.Groups["g"].ValueSpan, CultureInfo.InvariantCulture);
        return new(name.ToUpperInvariant(), device.Vendor, Gb(int.Parse(parts.Groups["memory"].ValueSpan, CultureInfo.InvariantCulture)),
            device.Bf16 * slices / ComputeSlices, device.Fp16 * slices / ComputeSlices);
    }

    private const int ComputeSlices = 7;

    // A compute instance may be a part of its GPU instance, 1c.3g.40gb; what follows a plus are media engines.
    [GeneratedRegex(@"^(?<device>[A-Z0-9]+(?:-80GB)?)-(?:(?<c>[1-7])C\.)?(?<g>[1-7])G\.(?<memory>\d{1,3})GB(?:\+[A-Z.]+)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Profile { get; }
}
