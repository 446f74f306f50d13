namespace TinyLlm.Data;

/// <summary>The SplitMix64 generator (Steele et al. 2014): its whole state is one number, which a checkpoint can hold.</summary>
/// <param name="state">Where to go on.</param>
public sealed class SplitMix(ulong state)
{
    /// <summary>Where it stands.</summary>
    public ulong State { get; private set; } = state;

    /// <summary>A whole number from 0 to below <paramref name="below"/>.</summary>
    public int Below(int below) => (int)Math.BigMul(Next(), (ulong)below, out _);

    /// <summary>A number from 0 to below 1.</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number of the standard normal distribution (Box and Muller 1958).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    private ulong Next()
    {
        State += 0x9E3779B97F4A7C15;
        ulong mixed = State;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
