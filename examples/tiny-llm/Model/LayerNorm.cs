using System.Numerics;
using System.Numerics.Tensors;

namespace TinyLlm.Model;

/// <summary>Layer normalization (Ba et al. 2016) of each row: y = gain · (x − mean) / deviation + shift.</summary>
public static class LayerNorm
{
    private const double Epsilon = 1e-5;

    /// <summary>Writes y and keeps, for the way back, the normalized rows and 1 / deviation of each; all rows × width.</summary>
    public static void Forward<T>(Matrix<T> x, Matrix<T> gain, Matrix<T> shift, Matrix<T> normal, Span<T> scale, Matrix<T> y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var width = T.CreateChecked(x.Columns);
        var epsilon = T.CreateChecked(Epsilon);
        for (int row = 0; row < x.Rows; row++)
        {
            var kept = normal.Row(row);
            TensorPrimitives.Subtract(x.Row(row), TensorPrimitives.Sum<T>(x.Row(row)) / width, kept);
            scale[row] = T.One / T.Sqrt((TensorPrimitives.SumOfSquares<T>(kept) / width) + epsilon);
            TensorPrimitives.Multiply(kept, scale[row], kept);
            TensorPrimitives.MultiplyAdd(kept, gain.Row(0), shift.Row(0), y.Row(row));
        }
    }

    /// <summary>Adds the gradients of x, gain and shift; <paramref name="dy"/> is used up.</summary>
    public static void Backward<T>(
        Matrix<T> dy, Matrix<T> gain, Matrix<T> normal, ReadOnlySpan<T> scale, Matrix<T> dx, Matrix<T> dGain, Matrix<T> dShift)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var width = T.CreateChecked(dy.Columns);
        for (int row = 0; row < dy.Rows; row++)
        {
            var slope = dy.Row(row);
            var kept = normal.Row(row);
            TensorPrimitives.Add(dShift.Row(0), slope, dShift.Row(0));
            TensorPrimitives.MultiplyAdd(slope, kept, dGain.Row(0), dGain.Row(0));
            TensorPrimitives.Multiply(slope, gain.Row(0), slope);
            var mean = TensorPrimitives.Sum<T>(slope) / width;
            var along = TensorPrimitives.Dot<T>(slope, kept) / width;

            // dx += scale · (slope − mean − along · kept)
            TensorPrimitives.Subtract(slope, mean, slope);
            TensorPrimitives.MultiplyAdd(kept, -along, slope, slope);
            TensorPrimitives.MultiplyAdd(slope, scale[row], dx.Row(row), dx.Row(row));
        }
    }
}
