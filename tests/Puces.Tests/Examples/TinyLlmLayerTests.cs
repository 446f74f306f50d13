using System.Numerics.Tensors;
using TinyLlm.Model;
using Xunit;

namespace Puces.Tests.Examples;

public sealed class TinyLlmLayerTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(7, 5, 3)]
    [InlineData(10, 300, 65)]
    [InlineData(36, 32, 48)]
    public void A_product_is_the_sum_over_rows_times_columns_whichever_way_its_parts_lie(int rows, int depth, int columns)
    {
        foreach (int ways in Enumerable.Range(0, 8))
        {
            var a = Lying(rows, depth, (ways & 1) != 0, seed: 1);
            var b = Lying(depth, columns, (ways & 2) != 0, seed: 2);
            var c = Lying(rows, columns, across: false, seed: 3);
            bool add = (ways & 4) != 0;
            double[] expected = [.. Enumerable.Range(0, rows * columns).Select(i => (add ? c.Cells[i] : 0)
                + Enumerable.Range(0, depth).Sum(k => At(a, i / columns, k) * At(b, k, i % columns)))];

            new Panels<double>().Product(a, b, c, add);

            Assert.True(TensorPrimitives.Distance<double>(expected, c.Cells) < 1e-12 * depth);
        }
    }

    [Fact]
    public void The_slope_of_gelu_is_that_of_its_differences()
    {
        var x = TinyLlmSlopes.Numbers(21, seed: 4);
        TensorPrimitives.Multiply(x, 5, x);
        var slope = (double[])x.Clone();
        Gelu.Forward<double>(slope, new double[x.Length]);

        TinyLlmSlopes.Check("x", x, slope, () => TensorPrimitives.Sum<double>(Values(x)));

        static double[] Values(double[] x)
        {
            var y = new double[x.Length];
            Gelu.Forward<double>((double[])x.Clone(), y);
            return y;
        }
    }

    [Fact]
    public void Gelu_has_its_known_values()
    {
        double[] x = [-1, 0, 1, 2, -20, 20];
        var y = new double[x.Length];
        Gelu.Forward<double>(x, y);

        // The tanh form, from PyTorch's documentation of gelu(approximate="tanh").
        double[] expected = [-0.158808, 0, 0.841192, 1.954598, 0, 20];
        Assert.All(expected.Zip(y), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void The_slopes_of_layer_norm_are_those_of_its_differences()
    {
        const int Rows = 3, Width = 11;
        var x = Dense(Rows, Width, seed: 5);
        var gain = Dense(1, Width, seed: 6);
        var shift = Dense(1, Width, seed: 7);
        var pull = TinyLlmSlopes.Numbers(Rows * Width, seed: 8);
        var normal = Dense(Rows, Width, seed: 0);
        var y = Dense(Rows, Width, seed: 0);
        var scale = new double[Rows];
        Loss();
        var (dx, dGain, dShift) = (Zero(Rows, Width), Zero(1, Width), Zero(1, Width));
        LayerNorm.Backward(new Matrix<double>([.. pull], 0, Rows, Width), gain, normal, scale, dx, dGain, dShift);

        TinyLlmSlopes.Check("x", x.Cells, dx.Cells, Loss);
        TinyLlmSlopes.Check("gain", gain.Cells, dGain.Cells, Loss);
        TinyLlmSlopes.Check("shift", shift.Cells, dShift.Cells, Loss);

        double Loss()
        {
            LayerNorm.Forward(x, gain, shift, normal, scale, y);
            return TensorPrimitives.Dot<double>(y.Cells, pull);
        }
    }

    [Fact]
    public void The_slopes_of_attention_are_those_of_its_differences()
    {
        // Longer than two bands, and no multiple of anything.
        const int Length = 77, Width = 3;
        var attention = new Attention<double>(new Panels<double>());
        var (query, key, value) = (Dense(Length, Width, seed: 9), Dense(Length, Width, seed: 10), Dense(Length, Width, seed: 11));
        var pull = Dense(Length, Width, seed: 12);
        var (pairs, output) = (Zero(Length, Length), Zero(Length, Width));
        Loss();
        var slopes = (Query: Zero(Length, Width), Key: Zero(Length, Width), Value: Zero(Length, Width));
        attention.Backward(pull, (query, key, value), pairs, Zero(Length, Length), slopes);

        TinyLlmSlopes.Check("query", query.Cells, slopes.Query.Cells, Loss);
        TinyLlmSlopes.Check("key", key.Cells, slopes.Key.Cells, Loss);
        TinyLlmSlopes.Check("value", value.Cells, slopes.Value.Cells, Loss);

        double Loss()
        {
            attention.Forward(query, key, value, pairs, output);
            return TensorPrimitives.Dot<double>(output.Cells, pull.Cells);
        }
    }

    [Fact]
    public void The_slopes_of_cross_entropy_are_those_of_its_differences()
    {
        const int Rows = 4, Vocabulary = 9;
        const double Weight = 0.25;
        int[] targets = [0, 8, 3, 3];
        var logits = Dense(Rows, Vocabulary, seed: 13);
        var slopes = new Matrix<double>([.. logits.Cells], 0, Rows, Vocabulary);
        CrossEntropy.Forward(slopes, targets, Weight);

        TinyLlmSlopes.Check("logits", logits.Cells, slopes.Cells, () =>
            Weight * CrossEntropy.Forward(new Matrix<double>([.. logits.Cells], 0, Rows, Vocabulary), targets, 0));
    }

    [Fact]
    public void Equal_logits_cost_the_logarithm_of_the_vocabulary() =>
        Assert.Equal(2 * Math.Log(10), CrossEntropy.Forward(Zero(2, 10), [1, 7], 0), 1e-12);

    private static Matrix<double> Dense(int rows, int columns, int seed) =>
        new(TinyLlmSlopes.Numbers(rows * columns, seed), 0, rows, columns);

    private static Matrix<double> Zero(int rows, int columns) => new(new double[rows * columns], 0, rows, columns);

    private static Matrix<double> Lying(int rows, int columns, bool across, int seed) =>
        across ? Dense(columns, rows, seed).Transposed : Dense(rows, columns, seed);

    private static double At(Matrix<double> matrix, int row, int column) =>
        matrix.Cells[matrix.Offset + (row * matrix.RowStride) + (column * matrix.ColumnStride)];
}
