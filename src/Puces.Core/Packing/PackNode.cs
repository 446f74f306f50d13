namespace Puces.Core.Packing;

/// <summary>A node of the packing experiment.</summary>
/// <param name="Model">The model of its GPUs.</param>
public sealed record PackNode(string Name, int MilliCpus, int MemoryMib, int Gpus, string Model)
{
    /// <summary>The most GPUs that a node may have.</summary>
    public const int MostGpus = 16;
}

/// <summary>What one pod asks for.</summary>
/// <param name="Gpus">Whole GPUs; 1 where it asks for a share of one, 0 where it asks for none.</param>
/// <param name="MilliOfGpu">Thousandths that it takes of each of them: 1000, less for a share, 0 without GPUs.</param>
/// <param name="Models">The models that suit it, with <c>|</c> between; empty for any.</param>
public sealed record PackPod(int MilliCpus, int MemoryMib, int Gpus, int MilliOfGpu, string Models = "")
{
    /// <summary>A whole GPU, in thousandths.</summary>
    public const int WholeGpu = 1000;

    /// <summary>All that it asks for of GPUs, in thousandths of one.</summary>
    public int MilliGpus => Gpus * MilliOfGpu;
}
