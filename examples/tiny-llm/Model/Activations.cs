namespace TinyLlm.Model;

/// <summary>Room for what one pass of one thread leaves behind for the way back; rows are tokens, sequence after sequence.</summary>
public sealed class Activations<T> where T : unmanaged
{
    /// <summary>Room for <paramref name="sequences"/> sequences of <paramref name="length"/> tokens.</summary>
    public Activations(Shape shape, int sequences, int length)
    {
        (Sequences, Length) = (sequences, length);
        int rows = sequences * length;
        Residual = New(rows, shape.Width);
        Blocks = [.. Enumerable.Range(0, shape.Layers).Select(_ => new BlockActivations<T>(
            Attention: new NormActivations<T>(New(rows, shape.Width), new T[rows], New(rows, shape.Width)),
            QueryKeyValue: New(rows, 3 * shape.Width),
            Probabilities: New(sequences * shape.Heads * length, length),
            Heads: New(rows, shape.Width),
            Mlp: new NormActivations<T>(New(rows, shape.Width), new T[rows], New(rows, shape.Width)),
            Slope: New(rows, shape.Hidden),
            Hidden: New(rows, shape.Hidden)))];
        Final = new NormActivations<T>(New(rows, shape.Width), new T[rows], New(rows, shape.Width));
        Logits = New(rows, shape.Vocabulary);
    }

    /// <summary>Number of sequences.</summary>
    public int Sequences { get; }

    /// <summary>Tokens of each sequence.</summary>
    public int Length { get; }

    /// <summary>Rows × width: the residual stream, and on the way back its gradient.</summary>
    public Matrix<T> Residual { get; }

    /// <summary>What each block keeps.</summary>
    public IReadOnlyList<BlockActivations<T>> Blocks { get; }

    /// <summary>The last layer norm.</summary>
    public NormActivations<T> Final { get; }

    /// <summary>Rows × vocabulary, and after the loss its gradient.</summary>
    public Matrix<T> Logits { get; }

    private static Matrix<T> New(int rows, int columns) => new(new T[rows * columns], 0, rows, columns);
}

/// <summary>What a layer norm keeps.</summary>
/// <param name="Normal">Rows × width: before gain and shift.</param>
/// <param name="Scale">1 / deviation of each row.</param>
/// <param name="Output">Rows × width.</param>
public sealed record NormActivations<T>(Matrix<T> Normal, T[] Scale, Matrix<T> Output) where T : unmanaged;

/// <summary>What a block keeps.</summary>
/// <param name="Attention">The layer norm before attention.</param>
/// <param name="QueryKeyValue">Rows × 3 width.</param>
/// <param name="Probabilities">(Sequence, head, query) × key.</param>
/// <param name="Heads">Rows × width: the outputs of the heads side by side.</param>
/// <param name="Mlp">The layer norm before the MLP.</param>
/// <param name="Slope">Rows × hidden: the slope of GELU at its input.</param>
/// <param name="Hidden">Rows × hidden: the output of GELU.</param>
public sealed record BlockActivations<T>(
    NormActivations<T> Attention,
    Matrix<T> QueryKeyValue,
    Matrix<T> Probabilities,
    Matrix<T> Heads,
    NormActivations<T> Mlp,
    Matrix<T> Slope,
    Matrix<T> Hidden) where T : unmanaged;
