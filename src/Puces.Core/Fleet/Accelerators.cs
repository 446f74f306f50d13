using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>A model of device.</summary>
/// <param name="Memory">Of one device.</param>
/// <param name="Bf16">Dense bf16 TFLOP/s, as the vendor's data sheet states; null where it has none.</param>
public sealed record Accelerator(string Name, string Vendor, Memory Memory, double? Bf16);

/// <summary>
/// The accelerators that virtual pools and requests by need know. Figures are those of the vendors' public data sheets
/// (NVIDIA H100, H200, B200, A100, L4, L40S, A10, V100, T4, RTX 4090; AMD Instinct MI250, MI300X; Intel Gaudi 3, Max 1550).
/// </summary>
public static class Accelerators
{
    private static Memory Gb(int gigabytes) => new(gigabytes * 1_000_000_000L);

    public static readonly IReadOnlyList<Accelerator> All =
    [
        new("A10", "nvidia", Gb(24), 125), new("A100", "nvidia", Gb(40), 312), new("A100-80GB", "nvidia", Gb(80), 312),
        new("B200", "nvidia", Gb(180), 2250), new("GAUDI3", "intel", Gb(128), 1835), new("H100", "nvidia", Gb(80), 989),
        new("H200", "nvidia", Gb(141), 989), new("L4", "nvidia", Gb(24), 121), new("L40S", "nvidia", Gb(48), 362),
        new("MAX1550", "intel", Gb(128), 832), new("MI250", "amd", Gb(128), 362), new("MI300X", "amd", Gb(192), 1307),
        new("RTX4090", "nvidia", Gb(24), 165), new("T4", "nvidia", Gb(16), null), new("V100", "nvidia", Gb(16), null),
    ];

    public static Accelerator? Find(string name) =>
        All.FirstOrDefault(a => string.Equals(a.Name, name, StringComparison.OrdinalIgnoreCase));
}
