using System.Globalization;

namespace Puces.Bench;

/// <summary>Median and tails of what was measured, and how figures are written.</summary>
internal static class Figures
{
    public static double Median(this IEnumerable<double> values) => values.Quantile(0.5);

    /// <summary>The smallest value that this part of all does not exceed.</summary>
    public static double Quantile(this IEnumerable<double> values, double part)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) return double.NaN;
        if (part == 0.5 && sorted.Length % 2 == 0) return (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
        return sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(part * sorted.Length) - 1)];
    }

    /// <summary>Three digits that count, such as <c>0.682</c>, <c>31.4</c> or <c>4 120</c>.</summary>
    public static string Show(double value)
    {
        if (double.IsNaN(value)) return "–";
        var size = Math.Abs(value);
        var form = size >= 100 ? "#,0" : size >= 10 ? "0.0" : size >= 1 ? "0.00" : "0.000";
        return value.ToString(form, CultureInfo.InvariantCulture).Replace(',', ' ');
    }

    public static string Each(IEnumerable<double> values) => string.Join(", ", values.Select(Show));
}
