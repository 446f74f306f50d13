using System.Text.Json.Serialization;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>What the scheduler reads of a job's spec: the same for every job of one shape, so that equal ones share an instance.</summary>
/// <param name="Gpus">Alternatives in order, per node; empty for none.</param>
/// <param name="Nodes">Nodes of the gang.</param>
/// <param name="MilliCpus">Thousandths of a CPU per node; zero takes the node's portion for the devices where it is free, and at least one for each.</param>
/// <param name="Memory">Main memory per node; zero for none in particular.</param>
/// <param name="Where">Pools that may serve it; empty for all.</param>
/// <param name="InContainer">It names an image: its nodes need a container engine.</param>
/// <param name="Avoid">Nodes that have failed it, and that it shall not be given again; null for none.</param>
public sealed record Request(
    IReadOnlyList<GpuRequest> Gpus, int Nodes, int MilliCpus, Memory Memory, IReadOnlyList<string> Where,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool InContainer = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Avoid = null)
{
    /// <summary>The engines that can run an image, for people.</summary>
    public const string Engines = "Docker, Podman, Apptainer or Enroot";

    public static Request Of(JobSpec spec) => new(
        spec.Gpus ?? [], spec.Nodes, spec.Cpus is { } cpus ? (int)Math.Round(cpus * 1000) : 0, spec.Memory ?? default, spec.Where ?? [], spec.Image is not null);

    public bool Equals(Request? other) =>
        ReferenceEquals(this, other)
        || other is not null && Nodes == other.Nodes && InContainer == other.InContainer && MilliCpus == other.MilliCpus && Memory == other.Memory
        && Where.SequenceEqual(other.Where) && (Avoid ?? []).SequenceEqual(other.Avoid ?? []) && Gpus.Count == other.Gpus.Count
        && Gpus.Zip(other.Gpus).All(p => Same(p.First, p.Second));

    public override int GetHashCode() => HashCode.Combine(
        Nodes, MilliCpus, Memory, Where.Count, Gpus.Count, Gpus.Count > 0 ? Gpus[0].Milli : 0, Gpus.Count > 0 ? Gpus[0].Name : null);

    private static bool Same(GpuRequest a, GpuRequest b) =>
        a.Count == b.Count && a.Share == b.Share && a.Name == b.Name && a.Vram == b.Vram && a.Bf16 == b.Bf16
        && (a.Vendors ?? []).SequenceEqual(b.Vendors ?? []);

    /// <summary>Thousandths of a device that the whole gang asks for, in the first way.</summary>
    public long MilliGpus => Gpus.Count > 0 ? (long)Nodes * Gpus[0].Milli : 0;

    /// <summary>Such as <c>2 × 8 H100</c>, <c>H100:4 or A100:8</c>, or <c>2 CPUs</c>.</summary>
    public override string ToString()
    {
        var each = Gpus.Count > 0 ? string.Join(" or ", Gpus.Select(Text)) : MilliCpus > 0 ? $"{MilliCpus / 1000.0:0.###} CPUs" : "1 CPU";
        return Nodes == 1 ? each : $"{Nodes} × {each}";
    }

    /// <summary>Such as <c>H100:8</c>, <c>L4:0.5</c>, or <c>4 devices with 80GB+</c>.</summary>
    public static string Text(GpuRequest gpu)
    {
        if (gpu.Name is { } name) return $"{name}:{gpu.Amount}";
        var needs = new List<string>();
        if (gpu.Vram is { } vram) needs.Add(Range(vram, ""));
        if (gpu.Bf16 is { } bf16) needs.Add(Range(bf16, " TFLOP/s"));
        if (gpu.Vendors is { Count: > 0 } vendors) needs.Add("by " + string.Join(" or ", vendors));
        return (gpu.Share > 0 ? $"{gpu.Amount} of a device" : $"{gpu.Count} device{(gpu.Count == 1 ? "" : "s")}") + (needs.Count > 0 ? " with " + string.Join(", ", needs) : "");
    }

    private static string Range<T>(Bounds<T> bounds, string unit) where T : struct, IComparable<T> => bounds switch
    {
        { Min: { } min, Max: { } max } => min.CompareTo(max) == 0 ? $"{min}{unit}" : $"{min} to {max}{unit}",
        { Min: { } min } => $"{min}{unit}+",
        { Max: { } max } => $"up to {max}{unit}",
        _ => "any",
    };
}
