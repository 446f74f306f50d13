using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyLlm.Model;

/// <summary>
/// The Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016), written with the logistic function:
/// ½x(1 + tanh u) = x · σ(2u), u = √(2/π) · (x + 0.044715 x³).
/// </summary>
public static class Gelu
{
    private const double Linear = 2 * 0.79788456080286535588;
    private const double Cubic = Linear * 0.044715;

    /// <summary>Writes y = gelu(x), and puts the slope dy/dx in the place of x.</summary>
    public static void Forward<T>(Span<T> x, Span<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int done = 0;
        for (; done + Vector<T>.Count <= x.Length; done += Vector<T>.Count)
        {
            var (value, slope) = At(new Vector<T>(x[done..]));
            slope.CopyTo(x[done..]);
            value.CopyTo(y[done..]);
        }

        for (; done < x.Length; done++)
        {
            var (value, slope) = At(new Vector<T>(x[done]));
            (x[done], y[done]) = (slope[0], value[0]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector<T> Value, Vector<T> Slope) At<T>(Vector<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var one = Vector<T>.One;
        var linear = new Vector<T>(T.CreateChecked(Linear));
        var cubic = new Vector<T>(T.CreateChecked(Cubic)) * x * x;
        var gate = one / (one + Exponential.Of(-(x * (linear + cubic))));
        var value = x * gate;
        return (value, gate + (value * (one - gate) * (linear + cubic + cubic + cubic)));
    }
}
