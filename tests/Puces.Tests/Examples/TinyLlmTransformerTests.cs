using System.Numerics.Tensors;
using TinyLlm.Model;
using Xunit;

namespace Puces.Tests.Examples;

public sealed class TinyLlmTransformerTests
{
    private const int Sequences = 2, Length = 6;
    private static readonly Shape Small = new(Vocabulary: 5, Context: 7, Width: 8, Layers: 2, Heads: 2);
    private static readonly int[] Tokens = [0, 1, 2, 3, 4, 0, 4, 4, 1, 0, 2, 2];
    private static readonly int[] Targets = [1, 2, 3, 4, 0, 1, 4, 1, 0, 2, 2, 3];

    [Fact]
    public void The_gradient_of_every_weight_is_that_of_its_differences()
    {
        const double Weight = 0.3;
        var weights = Filled();
        var model = new Transformer<double>(Small, Sequences, Length);
        var gradient = new Weights<double>(Small);
        gradient.Cells.AsSpan().Fill(double.NaN);
        double loss = model.Backward(weights, Tokens, Targets, Weight, gradient);

        Assert.Equal(model.Loss(weights, Tokens, Targets), loss, 1e-12);
        Assert.Equal(4 + (8 * Small.Layers) + 1, weights.Parts.Count);
        for (int part = 0; part < weights.Parts.Count; part++)
        {
            var (view, _) = weights.Parts[part];
            var cells = view.Cells.AsSpan(view.Offset, view.Rows * view.Columns);
            TinyLlmSlopes.Check($"part {part}", cells, gradient.Cells.AsSpan(view.Offset, cells.Length), () =>
                Weight * model.Loss(weights, Tokens, Targets));
        }
    }

    [Fact]
    public void In_single_precision_loss_and_gradient_are_nearly_those_in_double()
    {
        var weights = Filled();
        var gradient = new Weights<double>(Small);
        double loss = new Transformer<double>(Small, Sequences, Length).Backward(weights, Tokens, Targets, 1, gradient);
        var single = new Weights<float>(Small);
        TensorPrimitives.ConvertTruncating<double, float>(weights.Cells, single.Cells);
        var singleGradient = new Weights<float>(Small);
        double singleLoss = new Transformer<float>(Small, Sequences, Length).Backward(single, Tokens, Targets, 1, singleGradient);

        var widened = new double[single.Cells.Length];
        TensorPrimitives.ConvertTruncating<float, double>(singleGradient.Cells, widened);
        Assert.Equal(loss, singleLoss, 1e-5 * loss);
        double error = TensorPrimitives.Distance<double>(gradient.Cells, widened) / TensorPrimitives.Norm<double>(gradient.Cells);
        Assert.True(error < 1e-5, $"relative distance {error}");
    }

    [Fact]
    public void A_later_token_changes_nothing_before_it()
    {
        var shape = Small with { Context = 80 };
        var weights = Filled(shape);
        var model = new Transformer<double>(shape, 1, 80);
        int[] tokens = [.. Enumerable.Range(0, 80).Select(i => i * i % 5)];
        double[] before = [.. model.Forward(weights, tokens).Cells];
        foreach (int changed in new[] { 1, 35, 36, 79 })
        {
            int[] others = [.. tokens];
            others[changed] = (others[changed] + 1) % 5;
            double[] after = [.. model.Forward(weights, others).Cells];

            int same = changed * shape.Vocabulary;
            Assert.Equal(before[..same], after[..same]);
            Assert.NotEqual(before[same..(same + shape.Vocabulary)], after[same..(same + shape.Vocabulary)]);
            Assert.NotEqual(before[^shape.Vocabulary..], after[^shape.Vocabulary..]);
        }
    }

    [Fact]
    public void Sequences_of_one_pass_do_not_see_each_other()
    {
        var weights = Filled();
        double[] together = [.. new Transformer<double>(Small, Sequences, Length).Forward(weights, Tokens).Cells];
        double[] alone = [.. new Transformer<double>(Small, 1, Length).Forward(weights, Tokens.AsSpan(Length)).Cells];

        Assert.True(TensorPrimitives.Distance<double>(together.AsSpan(together.Length / 2), alone) < 1e-12);
    }

    [Fact]
    public void Weights_are_as_many_as_counted() =>
        Assert.Equal(Small.Parameters, Filled().Parts.Sum(part => part.View.Rows * part.View.Columns));

    /// <summary>Weights large enough that every part of the model bends.</summary>
    private static Weights<double> Filled(Shape? shape = null)
    {
        var weights = new Weights<double>(shape ?? Small);
        TinyLlmSlopes.Numbers(weights.Cells.Length, seed: 14).CopyTo(weights.Cells, 0);
        return weights;
    }
}
