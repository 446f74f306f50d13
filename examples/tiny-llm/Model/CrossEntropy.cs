using System.Numerics;
using System.Numerics.Tensors;

namespace TinyLlm.Model;

/// <summary>The loss: −ln of the probability that softmax of the logits gives to the token that came next.</summary>
public static class CrossEntropy
{
    /// <summary>
    /// The sum of the losses of all rows, in nats; <paramref name="logits"/> (rows × vocabulary) become the gradient of
    /// that sum times <paramref name="weight"/>.
    /// </summary>
    public static double Forward<T>(Matrix<T> logits, ReadOnlySpan<int> targets, double weight)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int row = 0; row < logits.Rows; row++)
        {
            var cells = logits.Row(row);
            TensorPrimitives.Subtract(cells, TensorPrimitives.Max<T>(cells), cells);
            double target = double.CreateChecked(cells[targets[row]]);
            T total = Exponential.Sum(cells);
            sum += Math.Log(double.CreateChecked(total)) - target;
            TensorPrimitives.Multiply(cells, T.CreateChecked(weight) / total, cells);
            cells[targets[row]] -= T.CreateChecked(weight);
        }

        return sum;
    }
}
