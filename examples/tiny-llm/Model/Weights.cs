namespace TinyLlm.Model;

/// <summary>
/// All weights of a transformer in one flat array, with a named view for each, so that optimizer, checkpoint and sum
/// of gradients see only the array. The gradient of a model is a second object of this type.
/// As GPT-2 (Radford et al. 2019), but no linear layer has a bias and the head is not tied to the embedding.
/// </summary>
public sealed class Weights<T> where T : unmanaged
{
    private readonly List<(Matrix<T> View, InitialValue Start)> _parts = [];

    /// <summary>Weights of zero for a model of <paramref name="shape"/>.</summary>
    public Weights(Shape shape)
    {
        Cells = new T[shape.Parameters];
        int width = shape.Width;
        int used = 0;
        TokenEmbedding = Next(shape.Vocabulary, width, InitialValue.Normal);
        PositionEmbedding = Next(shape.Context, width, InitialValue.Normal);
        Blocks = [.. Enumerable.Range(0, shape.Layers).Select(_ => new BlockWeights<T>(
            AttentionGain: Next(1, width, InitialValue.One),
            AttentionShift: Next(1, width, InitialValue.Zero),
            QueryKeyValue: Next(width, 3 * width, InitialValue.Normal),
            Projection: Next(width, width, InitialValue.Residual),
            MlpGain: Next(1, width, InitialValue.One),
            MlpShift: Next(1, width, InitialValue.Zero),
            Up: Next(width, shape.Hidden, InitialValue.Normal),
            Down: Next(shape.Hidden, width, InitialValue.Residual)))];
        FinalGain = Next(1, width, InitialValue.One);
        FinalShift = Next(1, width, InitialValue.Zero);
        Head = Next(width, shape.Vocabulary, InitialValue.Normal);

        Matrix<T> Next(int rows, int columns, InitialValue start)
        {
            var view = new Matrix<T>(Cells, used, rows, columns);
            used += rows * columns;
            _parts.Add((view, start));
            return view;
        }
    }

    /// <summary>Every weight.</summary>
    public T[] Cells { get; }

    /// <summary>Vocabulary × width.</summary>
    public Matrix<T> TokenEmbedding { get; }

    /// <summary>Context × width.</summary>
    public Matrix<T> PositionEmbedding { get; }

    /// <summary>The blocks, from the text up.</summary>
    public IReadOnlyList<BlockWeights<T>> Blocks { get; }

    /// <summary>1 × width: the gain of the last layer norm.</summary>
    public Matrix<T> FinalGain { get; }

    /// <summary>1 × width: the shift of the last layer norm.</summary>
    public Matrix<T> FinalShift { get; }

    /// <summary>Width × vocabulary.</summary>
    public Matrix<T> Head { get; }

    /// <summary>All views in the order they lie in, with the value that each begins at.</summary>
    public IReadOnlyList<(Matrix<T> View, InitialValue Start)> Parts => _parts;
}

/// <summary>What a weight is before training.</summary>
public enum InitialValue
{
    /// <summary>0.</summary>
    Zero,

    /// <summary>1.</summary>
    One,

    /// <summary>Normal around 0, with a deviation that follows the width.</summary>
    Normal,

    /// <summary>As <see cref="Normal"/>, divided by the root of the number of branches that add to the residual stream (GPT-2).</summary>
    Residual,
}

/// <summary>The weights of one block; the two pairs of gain and shift are of the layer norms before its two branches.</summary>
/// <param name="AttentionGain">1 × width.</param>
/// <param name="AttentionShift">1 × width.</param>
/// <param name="QueryKeyValue">Width × 3 width: queries, keys and values side by side, in each the heads side by side.</param>
/// <param name="Projection">Width × width, after attention.</param>
/// <param name="MlpGain">1 × width.</param>
/// <param name="MlpShift">1 × width.</param>
/// <param name="Up">Width × hidden.</param>
/// <param name="Down">Hidden × width.</param>
public sealed record BlockWeights<T>(
    Matrix<T> AttentionGain,
    Matrix<T> AttentionShift,
    Matrix<T> QueryKeyValue,
    Matrix<T> Projection,
    Matrix<T> MlpGain,
    Matrix<T> MlpShift,
    Matrix<T> Up,
    Matrix<T> Down) where T : unmanaged;
