using System.Numerics.Tensors;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>
/// Spreads the work over threads. A batch is cut into shards by its size alone, a thread takes the next shard that is
/// left, and what the shards give is summed in their order: the result does not depend on the number of threads.
/// </summary>
public sealed class DataParallel
{
    private const int MostShards = 4;

    private readonly Shape _shape;
    private readonly int _threads;
    private readonly int _shardSequences;
    private readonly Weights<float>[] _gradients;
    private readonly Transformer<float>?[] _training;
    private readonly Transformer<float>?[] _measuring;

    /// <summary>For batches of <paramref name="batch"/> sequences as long as the context.</summary>
    public DataParallel(Shape shape, int batch, int threads)
    {
        (_shape, _threads) = (shape, threads);
        int shards = (int)System.Numerics.BigInteger.GreatestCommonDivisor(batch, MostShards);
        _shardSequences = batch / shards;
        _gradients = [.. Enumerable.Range(0, shards).Select(_ => new Weights<float>(shape))];
        _training = new Transformer<float>?[threads];
        _measuring = new Transformer<float>?[threads];
        Pieces = [.. PiecesOf(_gradients[0])];
    }

    /// <summary>The gradient of the mean loss of the last batch.</summary>
    public float[] Gradient => _gradients[0].Cells;

    /// <summary>The weights cut into pieces small enough to share among threads.</summary>
    internal IReadOnlyList<Piece> Pieces { get; }

    /// <summary>Fills <see cref="Gradient"/>; the mean loss of a batch (batch × context tokens), in nats per token.</summary>
    public double Backward(Weights<float> weights, int[] tokens, int[] targets)
    {
        int rows = _shardSequences * _shape.Context;
        var losses = new double[_gradients.Length];
        ForAll(losses.Length, (thread, shard) =>
        {
            var model = _training[thread] ??= new(_shape, _shardSequences, _shape.Context);
            losses[shard] = model.Backward(
                weights, tokens.AsSpan(shard * rows, rows), targets.AsSpan(shard * rows, rows), 1.0 / tokens.Length, _gradients[shard]);
        });
        ForAll(Pieces.Count, (_, index) =>
        {
            var sum = Pieces[index].Of(Gradient);
            foreach (var other in _gradients.AsSpan(1))
            {
                TensorPrimitives.Add(sum, Pieces[index].Of(other.Cells), sum);
            }
        });
        return losses.Sum() / tokens.Length;
    }

    /// <summary>
    /// The mean loss in nats per token over at most <paramref name="most"/> windows of the context's length, side by
    /// side or spread evenly over <paramref name="text"/>.
    /// </summary>
    public double Loss(Weights<float> weights, int[] text, int most = int.MaxValue)
    {
        int length = _shape.Context;
        int windows = (text.Length - 1) / length;
        int taken = Math.Min(windows, most);
        var losses = new double[taken];
        ForAll(taken, (thread, index) =>
        {
            var model = _measuring[thread] ??= new(_shape, 1, length);
            int from = (int)((long)index * windows / taken) * length;
            losses[index] = model.Loss(weights, text.AsSpan(from, length), text.AsSpan(from + 1, length));
        });
        return losses.Sum() / ((long)taken * length);
    }

    /// <summary>Calls <paramref name="work"/> with the number of a thread and each index below <paramref name="count"/>.</summary>
    internal void ForAll(int count, Action<int, int> work)
    {
        int next = -1;
        Parallel.For(0, _threads, new ParallelOptions { MaxDegreeOfParallelism = _threads }, thread =>
        {
            for (int index; (index = Interlocked.Increment(ref next)) < count;)
            {
                work(thread, index);
            }
        });
    }

    private static IEnumerable<Piece> PiecesOf(Weights<float> weights)
    {
        const int Most = 16 * 1024;
        foreach (var (view, _) in weights.Parts)
        {
            int end = view.Offset + (view.Rows * view.Columns);
            for (int from = view.Offset; from < end; from += Most)
            {
                yield return new(from, Math.Min(Most, end - from), Decays: view.Rows > 1);
            }
        }
    }
}

/// <summary>A run of weights of one matrix or vector.</summary>
/// <param name="From">Index of the first.</param>
/// <param name="Count">How many.</param>
/// <param name="Decays">Whether weight decay applies: to matrices, not to gains and shifts.</param>
internal readonly record struct Piece(int From, int Count, bool Decays)
{
    public Span<float> Of(float[] cells) => cells.AsSpan(From, Count);
}
