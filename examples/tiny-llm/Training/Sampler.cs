using System.Text;
using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>Lets a model write.</summary>
public static class Sampler
{
    // Below 1 the likely becomes likelier: a small model writes better with less chance.
    private const double Temperature = 0.8;

    /// <summary>Writes <paramref name="count"/> characters after an end of line, chosen by <paramref name="random"/>.</summary>
    public static string Write(Shape shape, Weights<float> weights, Vocabulary vocabulary, int count, SplitMix random)
    {
        var model = new Transformer<float>(shape, 1, shape.Context);
        List<int> written = [.. vocabulary.Encode("\n")];
        var window = new int[shape.Context];
        while (written.Count <= count)
        {
            // What stands after the last token is not seen by it.
            int from = Math.Max(0, written.Count - shape.Context);
            written.CopyTo(from, window, 0, written.Count - from);
            written.Add(Choose(model.Forward(weights, window).Row(written.Count - from - 1), random));
        }

        return written.Skip(1).Aggregate(new StringBuilder(), (text, token) => text.Append(vocabulary.Characters[token])).ToString();
    }

    private static int Choose(ReadOnlySpan<float> logits, SplitMix random)
    {
        double most = System.Numerics.Tensors.TensorPrimitives.Max(logits);
        double total = 0;
        foreach (float logit in logits)
        {
            total += Math.Exp((logit - most) / Temperature);
        }

        double left = random.Uniform() * total;
        for (int token = 0; token < logits.Length; token++)
        {
            left -= Math.Exp((logits[token] - most) / Temperature);
            if (left < 0)
            {
                return token;
            }
        }

        return logits.Length - 1;
    }
}
