using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyLlm.Model;

/// <summary>
/// eˣ of a vector. For float the polynomial of Cephes (Moshier 1989) on the rest of x after a whole number of ln 2,
/// right to 2 units in the last place: several times faster than a correctly rounded one, and training does not see
/// the difference.
/// </summary>
internal static class Exponential
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<T> Of<T>(Vector<T> x) where T : unmanaged =>
        typeof(T) == typeof(float)
            ? OfSingle(x.As<T, float>()).As<float, T>()
            : Vector.Exp(x.As<T, double>()).As<double, T>();

    /// <summary>Replaces each x by eˣ; the sum of what it wrote.</summary>
    public static T Sum<T>(Span<T> cells) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var sums = Vector<T>.Zero;
        int done = 0;
        for (; done + Vector<T>.Count <= cells.Length; done += Vector<T>.Count)
        {
            var y = Of(new Vector<T>(cells[done..]));
            y.CopyTo(cells[done..]);
            sums += y;
        }

        T sum = Vector.Sum(sums);
        for (; done < cells.Length; done++)
        {
            cells[done] = Of(new Vector<T>(cells[done]))[0];
            sum += cells[done];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> OfSingle(Vector<float> x)
    {
        // Between these the result is a normal number.
        x = Vector.Min(Vector.Max(x, new Vector<float>(-87f)), new Vector<float>(88f));
        var whole = Vector.Round(x * 1.44269504088896341f);

        // ln 2 in two parts: the product with the first is exact.
        var rest = Vector.FusedMultiplyAdd(whole, new Vector<float>(-0.693359375f), x);
        rest = Vector.FusedMultiplyAdd(whole, new Vector<float>(2.12194440e-4f), rest);
        var series = new Vector<float>(1.9875691500e-4f);
        series = Vector.FusedMultiplyAdd(series, rest, new Vector<float>(1.3981999507e-3f));
        series = Vector.FusedMultiplyAdd(series, rest, new Vector<float>(8.3334519073e-3f));
        series = Vector.FusedMultiplyAdd(series, rest, new Vector<float>(4.1665795894e-2f));
        series = Vector.FusedMultiplyAdd(series, rest, new Vector<float>(1.6666665459e-1f));
        series = Vector.FusedMultiplyAdd(series, rest, new Vector<float>(5.0000001201e-1f));
        series = Vector.FusedMultiplyAdd(series, rest * rest, rest + Vector<float>.One);
        var power = (Vector.ConvertToInt32(whole) + new Vector<int>(127)) << 23;
        return series * power.As<int, float>();
    }
}
