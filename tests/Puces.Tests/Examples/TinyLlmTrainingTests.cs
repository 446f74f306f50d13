using System.Numerics.Tensors;
using TinyLlm;
using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Training;
using Xunit;

namespace Puces.Tests.Examples;

public sealed class TinyLlmTrainingTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Repeat("the chip waits in the queue, the job runs on the chip.\n", 60));
    private static readonly Vocabulary Known = Vocabulary.Of(Text);
    private static readonly Shape Small = new(Known.Count, Context: 24, Width: 24, Layers: 2, Heads: 3);
    private static readonly Settings Quick = new() { Text = "", Steps = 20, Context = 24, Batch = 8, LearningRate = 5e-3, Threads = 2 };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tiny-llm-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_loss_falls_from_that_of_a_guess_to_nearly_nothing_on_a_text_that_repeats_itself()
    {
        var trainer = Trainer(Quick with { Steps = 150 });
        double first = trainer.Advance();
        while (trainer.Step < trainer.Plan)
        {
            trainer.Advance();
        }

        Assert.InRange(first, 0.7 * Math.Log(Known.Count), 1.3 * Math.Log(Known.Count));
        Assert.InRange(trainer.Loss(Known.Encode(Text)), 0, 0.3);
    }

    [Fact]
    public void Ten_steps_a_checkpoint_and_ten_more_give_bit_for_bit_what_twenty_give()
    {
        var whole = Trainer(Quick);
        Advance(whole, 20);
        var half = Trainer(Quick);
        Advance(half, 10);
        var checkpoint = new Checkpoints(_folder.FullName).Save(
            half.Step, folder => Snapshot.Write(folder, half, Known, Quick.Steps, seconds: 3.5));

        var resumed = Trainer(Quick with { Seed = 99 });
        var spent = Snapshot.Restore(checkpoint.Path, resumed, Known, Quick.Steps);
        Assert.Equal((10, 3.5), (resumed.Step, spent.TotalSeconds));
        Advance(resumed, 10);

        Assert.Equal(whole.Weights.Cells, resumed.Weights.Cells);
        Assert.Equal(whole.Optimizer.Mean, resumed.Optimizer.Mean);
        Assert.Equal(whole.Optimizer.Square, resumed.Optimizer.Square);
        Assert.Equal(whole.Random.State, resumed.Random.State);
    }

    [Fact]
    public void The_result_does_not_depend_on_the_number_of_threads()
    {
        var alone = Trainer(Quick with { Threads = 1 });
        var many = Trainer(Quick with { Threads = 5 });
        Advance(alone, 5);
        Advance(many, 5);

        Assert.Equal(alone.Weights.Cells, many.Weights.Cells);
        Assert.Equal(alone.Loss(Known.Encode(Text)), many.Loss(Known.Encode(Text)));
    }

    [Fact]
    public void A_batch_cut_into_shards_has_the_gradient_of_the_batch_in_one_piece()
    {
        const int Batch = 8;
        var weights = Trainer(Quick).Weights;
        int[] tokens = [.. Known.Encode(Text).Take(Batch * Small.Context)];
        int[] targets = [.. Known.Encode(Text).Skip(1).Take(tokens.Length)];
        var cut = new DataParallel(Small, Batch, threads: 2);
        double loss = cut.Backward(weights, tokens, targets);

        var gradient = new Weights<float>(Small);
        double expected = new Transformer<float>(Small, Batch, Small.Context)
            .Backward(weights, tokens, targets, 1.0 / tokens.Length, gradient) / tokens.Length;
        Assert.Equal(expected, loss, 1e-6);
        float error = TensorPrimitives.Distance<float>(gradient.Cells, cut.Gradient) / TensorPrimitives.Norm<float>(gradient.Cells);
        Assert.True(error < 1e-5, $"relative distance {error}");
    }

    [Fact]
    public void The_seed_decides()
    {
        var one = Trainer(Quick);
        var other = Trainer(Quick with { Seed = 2 });

        Assert.NotEqual(one.Advance(), other.Advance());
    }

    [Fact]
    public void The_learning_rate_warms_up_and_comes_down()
    {
        var trainer = Trainer(Quick with { Steps = 1000, LearningRate = 1e-3 });

        Assert.Equal(1e-5, trainer.LearningRate(1), 1e-12);
        Assert.Equal(1e-3, trainer.LearningRate(100), 1e-12);
        Assert.InRange(trainer.LearningRate(550), 0.4e-3, 0.6e-3);
        Assert.InRange(trainer.LearningRate(1000), 0, 0.05e-3);
    }

    [Fact]
    public void A_checkpoint_of_another_model_is_refused()
    {
        var trainer = Trainer(Quick);
        Snapshot.Write(_folder.FullName, trainer, Known, Quick.Steps, 0);
        var wider = new Trainer(Small with { Width = 48 }, Quick, Known.Encode(Text));

        var refusal = Assert.Throws<InvalidSettingException>(() => Snapshot.Restore(_folder.FullName, wider, Known, Quick.Steps));
        Assert.Contains("PUCES_CHECKPOINT_DIR", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sample_has_the_length_asked_for_and_only_known_characters()
    {
        var trainer = Trainer(Quick);
        string sample = Sampler.Write(Small, trainer.Weights, Known, 60, new SplitMix(1));

        Assert.Equal(60, sample.Length);
        Assert.All(sample, character => Assert.Contains(character, Known.Characters));
    }

    private static Trainer Trainer(Settings settings) => new(Small, settings, Known.Encode(Text));

    private static void Advance(Trainer trainer, int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            trainer.Advance();
        }
    }
}
