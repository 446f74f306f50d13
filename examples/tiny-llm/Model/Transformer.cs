using System.Numerics;
using System.Numerics.Tensors;

namespace TinyLlm.Model;

/// <summary>
/// The forward and backward pass of a decoder-only transformer with layer norm before each branch, over a fixed number
/// of sequences; for one thread at a time. <typeparamref name="T"/> is float in training and double where gradients are checked.
/// </summary>
public sealed class Transformer<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Shape _shape;
    private readonly Panels<T> _panels = new();
    private readonly Attention<T> _attention;
    private readonly Activations<T> _kept;
    private readonly Matrix<T> _wide;
    private readonly Matrix<T> _narrow;
    private readonly Matrix<T> _pairs;

    /// <summary>A transformer for <paramref name="sequences"/> sequences of <paramref name="length"/> tokens.</summary>
    public Transformer(Shape shape, int sequences, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, shape.Context);
        (_shape, Rows) = (shape, sequences * length);
        _attention = new(_panels);
        _kept = new(shape, sequences, length);
        _wide = new(new T[Rows * shape.Hidden], 0, Rows, shape.Hidden);
        _narrow = new(new T[Rows * shape.Width], 0, Rows, shape.Width);
        _pairs = new(new T[length * length], 0, length, length);
    }

    /// <summary>Tokens of one pass, all sequences together.</summary>
    public int Rows { get; }

    /// <summary>The logits of the token after each of <paramref name="tokens"/>: rows × vocabulary, valid until the next pass.</summary>
    public Matrix<T> Forward(Weights<T> weights, ReadOnlySpan<int> tokens)
    {
        var stream = _kept.Residual;
        for (int row = 0; row < Rows; row++)
        {
            TensorPrimitives.Add(
                weights.TokenEmbedding.Row(tokens[row]), weights.PositionEmbedding.Row(row % _kept.Length), stream.Row(row));
        }

        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            var block = weights.Blocks[layer];
            var kept = _kept.Blocks[layer];
            Normalize(stream, block.AttentionGain, block.AttentionShift, kept.Attention);
            _panels.Product(kept.Attention.Output, block.QueryKeyValue, kept.QueryKeyValue);
            for (int i = 0; i < _kept.Sequences * _shape.Heads; i++)
            {
                var (query, key, value) = Head(kept.QueryKeyValue, i);
                _attention.Forward(query, key, value, Pairs(kept, i), Part(kept.Heads, i, 0));
            }

            _panels.Product(kept.Heads, block.Projection, stream, add: true);
            Normalize(stream, block.MlpGain, block.MlpShift, kept.Mlp);
            _panels.Product(kept.Mlp.Output, block.Up, kept.Slope);
            for (int row = 0; row < Rows; row++)
            {
                Gelu.Forward(kept.Slope.Row(row), kept.Hidden.Row(row));
            }

            _panels.Product(kept.Hidden, block.Down, stream, add: true);
        }

        Normalize(stream, weights.FinalGain, weights.FinalShift, _kept.Final);
        _panels.Product(_kept.Final.Output, weights.Head, _kept.Logits);
        return _kept.Logits;
    }

    /// <summary>The sum of the losses of all rows in nats, without gradients.</summary>
    public double Loss(Weights<T> weights, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets) =>
        CrossEntropy.Forward(Forward(weights, tokens), targets, weight: 0);

    /// <summary>
    /// The sum of the losses of all rows in nats; overwrites <paramref name="gradient"/> with the gradient of that sum
    /// times <paramref name="weight"/>.
    /// </summary>
    public double Backward(
        Weights<T> weights, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, double weight, Weights<T> gradient)
    {
        double loss = CrossEntropy.Forward(Forward(weights, tokens), targets, weight);
        foreach (var (view, start) in gradient.Parts)
        {
            // The other parts are products, which overwrite.
            if (view.Rows == 1 || view == gradient.TokenEmbedding || view == gradient.PositionEmbedding)
            {
                view.Cells.AsSpan(view.Offset, view.Rows * view.Columns).Clear();
            }
        }

        var slope = _kept.Residual;
        slope.Cells.AsSpan().Clear();
        Linear(_kept.Final.Output, weights.Head, _kept.Logits, gradient.Head, _narrow);
        Denormalize(_narrow, weights.FinalGain, _kept.Final, slope, gradient.FinalGain, gradient.FinalShift);
        for (int layer = _shape.Layers - 1; layer >= 0; layer--)
        {
            MlpBackward(_kept.Blocks[layer], weights.Blocks[layer], gradient.Blocks[layer], slope);
            AttentionBackward(_kept.Blocks[layer], weights.Blocks[layer], gradient.Blocks[layer], slope);
        }

        for (int row = 0; row < Rows; row++)
        {
            var token = gradient.TokenEmbedding.Row(tokens[row]);
            var position = gradient.PositionEmbedding.Row(row % _kept.Length);
            TensorPrimitives.Add(token, slope.Row(row), token);
            TensorPrimitives.Add(position, slope.Row(row), position);
        }

        return loss;
    }

    private void MlpBackward(BlockActivations<T> kept, BlockWeights<T> block, BlockWeights<T> gradient, Matrix<T> slope)
    {
        Linear(kept.Hidden, block.Down, slope, gradient.Down, _wide);
        TensorPrimitives.Multiply(_wide.Cells, kept.Slope.Cells, _wide.Cells);
        Linear(kept.Mlp.Output, block.Up, _wide, gradient.Up, _narrow);
        Denormalize(_narrow, block.MlpGain, kept.Mlp, slope, gradient.MlpGain, gradient.MlpShift);
    }

    private void AttentionBackward(BlockActivations<T> kept, BlockWeights<T> block, BlockWeights<T> gradient, Matrix<T> slope)
    {
        Linear(kept.Heads, block.Projection, slope, gradient.Projection, _narrow);
        var inputs = new Matrix<T>(_wide.Cells, 0, Rows, 3 * _shape.Width);
        for (int i = 0; i < _kept.Sequences * _shape.Heads; i++)
        {
            _attention.Backward(Part(_narrow, i, 0), Head(kept.QueryKeyValue, i), Pairs(kept, i), _pairs, Head(inputs, i));
        }

        Linear(kept.Attention.Output, block.QueryKeyValue, inputs, gradient.QueryKeyValue, _narrow);
        Denormalize(_narrow, block.AttentionGain, kept.Attention, slope, gradient.AttentionGain, gradient.AttentionShift);
    }

    /// <summary>The gradients of y = x·w: of w from x, and of x from w.</summary>
    private void Linear(Matrix<T> x, Matrix<T> w, Matrix<T> dy, Matrix<T> dw, Matrix<T> dx)
    {
        _panels.Product(x.Transposed, dy, dw);
        _panels.Product(dy, w.Transposed, dx);
    }

    private static void Normalize(Matrix<T> x, Matrix<T> gain, Matrix<T> shift, NormActivations<T> kept) =>
        LayerNorm.Forward(x, gain, shift, kept.Normal, kept.Scale, kept.Output);

    private static void Denormalize(
        Matrix<T> dy, Matrix<T> gain, NormActivations<T> kept, Matrix<T> dx, Matrix<T> dGain, Matrix<T> dShift) =>
        LayerNorm.Backward(dy, gain, kept.Normal, kept.Scale, dx, dGain, dShift);

    /// <summary>Query, key and value of head and sequence <paramref name="index"/>.</summary>
    private (Matrix<T> Query, Matrix<T> Key, Matrix<T> Value) Head(Matrix<T> queryKeyValue, int index) =>
        (Part(queryKeyValue, index, 0), Part(queryKeyValue, index, _shape.Width), Part(queryKeyValue, index, 2 * _shape.Width));

    private Matrix<T> Part(Matrix<T> of, int index, int column)
    {
        var (sequence, head) = Math.DivRem(index, _shape.Heads);
        return of.Part(sequence * _kept.Length, _kept.Length, column + (head * _shape.HeadWidth), _shape.HeadWidth);
    }

    private Matrix<T> Pairs(BlockActivations<T> kept, int index) =>
        kept.Probabilities.Part(index * _kept.Length, _kept.Length, 0, _kept.Length);
}
