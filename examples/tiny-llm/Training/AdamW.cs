using System.Numerics;
using System.Numerics.Tensors;

namespace TinyLlm.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019), after the gradient is clipped by its global norm.</summary>
/// <param name="count">Number of weights.</param>
public sealed class AdamW(int count)
{
    private const float Beta1 = 0.9f;
    private const float Beta2 = 0.99f;
    private const float Epsilon = 1e-8f;
    private const float Decay = 0.1f;
    private const double MostNorm = 1;

    /// <summary>Running mean of the gradient.</summary>
    public float[] Mean { get; } = new float[count];

    /// <summary>Running mean of its square.</summary>
    public float[] Square { get; } = new float[count];

    /// <summary>Changes <paramref name="weights"/> by the gradient that <paramref name="parallel"/> holds.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="parallel">The gradient, and the threads.</param>
    /// <param name="step">Number of this step, from 1.</param>
    /// <param name="rate">The learning rate.</param>
    public void Step(float[] weights, DataParallel parallel, int step, double rate)
    {
        var squares = new double[parallel.Pieces.Count];
        parallel.ForAll(squares.Length, (_, i) =>
            squares[i] = TensorPrimitives.SumOfSquares<float>(parallel.Pieces[i].Of(parallel.Gradient)));
        double norm = Math.Sqrt(squares.Sum());
        float clip = (float)Math.Min(1, MostNorm / norm);
        float size = (float)(rate / (1 - Math.Pow(Beta1, step)));
        float correction = (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, step)));
        parallel.ForAll(parallel.Pieces.Count, (_, i) =>
        {
            var piece = parallel.Pieces[i];
            float kept = piece.Decays ? (float)(1 - (rate * Decay)) : 1;
            Update(piece.Of(weights), piece.Of(parallel.Gradient), piece.Of(Mean), piece.Of(Square), (clip, size, correction, kept));
        });
    }

    private static void Update(
        Span<float> weights, Span<float> gradient, Span<float> mean, Span<float> square,
        (float Clip, float Size, float Correction, float Kept) by)
    {
        int done = 0;
        for (; done + Vector<float>.Count <= weights.Length; done += Vector<float>.Count)
        {
            var slope = new Vector<float>(gradient[done..]) * by.Clip;
            var m = (new Vector<float>(mean[done..]) * Beta1) + (slope * (1 - Beta1));
            var v = (new Vector<float>(square[done..]) * Beta2) + (slope * slope * (1 - Beta2));
            var root = (Vector.SquareRoot(v) * by.Correction) + new Vector<float>(Epsilon);
            m.CopyTo(mean[done..]);
            v.CopyTo(square[done..]);
            ((new Vector<float>(weights[done..]) * by.Kept) - (m * by.Size / root)).CopyTo(weights[done..]);
        }

        for (; done < weights.Length; done++)
        {
            float slope = gradient[done] * by.Clip;
            mean[done] = (mean[done] * Beta1) + (slope * (1 - Beta1));
            square[done] = (square[done] * Beta2) + (slope * slope * (1 - Beta2));
            float root = (MathF.Sqrt(square[done]) * by.Correction) + Epsilon;
            weights[done] = (weights[done] * by.Kept) - (mean[done] * by.Size / root);
        }
    }
}
