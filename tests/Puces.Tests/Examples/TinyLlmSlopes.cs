using Xunit;

namespace Puces.Tests.Examples;

/// <summary>Compares a gradient worked out by hand with central differences.</summary>
internal static class TinyLlmSlopes
{
    // In double the error of the difference, about step², and that of rounding, about 1e-16 / step, meet near here.
    private const double Step = 1e-5;
    private const double Tolerance = 1e-6;

    /// <summary>Fails where d loss / d cell differs, for any of <paramref name="cells"/>, from its <paramref name="slope"/>.</summary>
    public static void Check(string name, Span<double> cells, ReadOnlySpan<double> slope, Func<double> loss)
    {
        Assert.Equal(cells.Length, slope.Length);
        bool anything = false;
        for (int i = 0; i < cells.Length; i++)
        {
            double middle = cells[i];
            cells[i] = middle + Step;
            double above = loss();
            cells[i] = middle - Step;
            double below = loss();
            cells[i] = middle;
            double expected = (above - below) / (2 * Step);
            double error = Math.Abs(expected - slope[i]) / (1e-3 + Math.Abs(expected) + Math.Abs(slope[i]));
            Assert.True(error < Tolerance, $"{name}[{i}]: {slope[i]} by hand, {expected} by difference");
            anything |= Math.Abs(slope[i]) > 1e-6;
        }

        Assert.True(anything, $"{name}: all slopes are zero, so nothing was compared");
    }

    /// <summary>Numbers from −1 to 1 that are the same in every run.</summary>
    public static double[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextDouble()) - 1)];
    }
}
