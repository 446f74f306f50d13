using System.Numerics;
using System.Numerics.Tensors;

namespace TinyLlm.Model;

/// <summary>
/// Causal self-attention of one head over one sequence (Vaswani et al. 2017): softmax(Q Kᵀ / √width) V, where a token
/// sees itself and those before it. The token pairs are taken in bands of rows, and a band stops at the diagonal:
/// half of the square is never computed.
/// </summary>
/// <param name="panels">Work space of this thread.</param>
public sealed class Attention<T>(Panels<T> panels) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // Six tiles of the microkernel; narrower bands compute less beyond the diagonal, but cost more calls.
    private const int Band = 36;

    /// <summary>
    /// Writes the output and keeps the probabilities (length × length; what lies past the diagonal of a band is left
    /// as it was). Query, key, value and output are length × head width.
    /// </summary>
    public void Forward(Matrix<T> query, Matrix<T> key, Matrix<T> value, Matrix<T> probabilities, Matrix<T> output)
    {
        var scale = T.CreateChecked(1 / Math.Sqrt(query.Columns));
        panels.Pack(key.Transposed);
        foreach (var (row, rows) in Bands(query.Rows))
        {
            var scores = probabilities.Part(row, rows, 0, row + rows);
            panels.Multiply(query.Part(row, rows, 0, query.Columns), scores, add: false);
            for (int i = 0; i < rows; i++)
            {
                Softmax(scores.Row(i)[..(row + i + 1)], scale);
                scores.Row(i)[(row + i + 1)..].Clear();
            }
        }

        panels.Pack(value);
        foreach (var (row, rows) in Bands(query.Rows))
        {
            panels.Multiply(probabilities.Part(row, rows, 0, row + rows), output.Part(row, rows, 0, output.Columns), add: false);
        }
    }

    /// <summary>
    /// Writes the gradients of query, key and value from that of the output; <paramref name="slope"/> is room for
    /// length × length.
    /// </summary>
    public void Backward(
        Matrix<T> dOutput,
        (Matrix<T> Query, Matrix<T> Key, Matrix<T> Value) inputs,
        Matrix<T> probabilities,
        Matrix<T> slope,
        (Matrix<T> Query, Matrix<T> Key, Matrix<T> Value) gradients)
    {
        int length = dOutput.Rows, width = dOutput.Columns;
        panels.Pack(inputs.Value.Transposed);
        foreach (var (row, rows) in Bands(length))
        {
            var part = slope.Part(row, rows, 0, row + rows);
            panels.Multiply(dOutput.Part(row, rows, 0, width), part, add: false);
            SoftmaxSlope(probabilities.Part(row, rows, 0, row + rows), part, T.CreateChecked(1 / Math.Sqrt(width)));
        }

        panels.Pack(inputs.Key);
        foreach (var (row, rows) in Bands(length))
        {
            panels.Multiply(slope.Part(row, rows, 0, row + rows), gradients.Query.Part(row, rows, 0, width), add: false);
        }

        Gather(slope, inputs.Query, gradients.Key);
        Gather(probabilities, dOutput, gradients.Value);
    }

    /// <summary>to = pairsᵀ · from, below the diagonal: what a token gave to itself and to those after it.</summary>
    private void Gather(Matrix<T> pairs, Matrix<T> from, Matrix<T> to)
    {
        panels.Pack(from);
        foreach (var (row, rows) in Bands(pairs.Rows))
        {
            var below = pairs.Part(row, pairs.Rows - row, row, rows).Transposed;
            panels.Multiply(below, to.Part(row, rows, 0, to.Columns), add: false, from: row);
        }
    }

    private static void Softmax(Span<T> scores, T scale)
    {
        TensorPrimitives.Subtract(scores, TensorPrimitives.Max<T>(scores), scores);
        TensorPrimitives.Multiply(scores, scale, scores);
        TensorPrimitives.Multiply(scores, T.One / Exponential.Sum(scores), scores);
    }

    private static void SoftmaxSlope(Matrix<T> probabilities, Matrix<T> slope, T scale)
    {
        // Past the diagonal the probability is zero, and so becomes the slope.
        for (int row = 0; row < slope.Rows; row++)
        {
            var cells = slope.Row(row);
            TensorPrimitives.Subtract(cells, TensorPrimitives.Dot<T>(cells, probabilities.Row(row)), cells);
            TensorPrimitives.Multiply(cells, scale, cells);
            TensorPrimitives.Multiply(cells, probabilities.Row(row), cells);
        }
    }

    private static IEnumerable<(int Row, int Rows)> Bands(int length)
    {
        for (int row = 0; row < length; row += Band)
        {
            yield return (row, Math.Min(Band, length - row));
        }
    }
}
