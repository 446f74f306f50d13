using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>A model in training: weights, optimizer, and where the random choice of text stands. No clock, no files.</summary>
public sealed class Trainer
{
    // Of the peak; a rate that goes on at this level to the end loses less than one at zero.
    private const double LastRate = 0.02;

    private readonly int[] _text;
    private readonly double _rate;
    private readonly DataParallel _parallel;
    private readonly int[] _tokens;
    private readonly int[] _targets;

    /// <summary>A model at step 0, to learn from the tokens of <paramref name="text"/>.</summary>
    public Trainer(Shape shape, Settings settings, int[] text)
    {
        (Shape, _text, _rate, Plan) = (shape, text, settings.LearningRate, settings.Steps);
        _parallel = new(shape, settings.Batch, settings.Threads);
        _tokens = new int[settings.Batch * shape.Context];
        _targets = new int[_tokens.Length];
        Weights = new(shape);
        Optimizer = new(Weights.Cells.Length);
        Random = new((ulong)settings.Seed);
        Initialize();
    }

    /// <summary>The size of the model.</summary>
    public Shape Shape { get; }

    /// <summary>The weights.</summary>
    public Weights<float> Weights { get; }

    /// <summary>The optimizer.</summary>
    public AdamW Optimizer { get; }

    /// <summary>What the next batch is chosen with.</summary>
    public SplitMix Random { get; set; }

    /// <summary>Steps done.</summary>
    public int Step { get; set; }

    /// <summary>Steps that the whole training will have; the learning rate comes down over them.</summary>
    public int Plan { get; set; }

    /// <summary>Tokens that one step learns from.</summary>
    public int TokensPerStep => _tokens.Length;

    /// <summary>The rate of a step, counted from 1: a linear warm-up, then half a cosine (Loshchilov and Hutter 2017).</summary>
    public double LearningRate(int step)
    {
        int warmUp = Math.Clamp(Plan / 10, 1, 100);
        if (step <= warmUp)
        {
            return _rate * step / warmUp;
        }

        double done = (double)(step - warmUp) / Math.Max(1, Plan - warmUp);
        return _rate * (LastRate + ((1 - LastRate) * 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, done)))));
    }

    /// <summary>One optimizer step; the mean loss of its batch before it, in nats per token.</summary>
    public double Advance()
    {
        int length = Shape.Context;
        for (int at = 0; at < _tokens.Length; at += length)
        {
            int from = Random.Below(_text.Length - length);
            _text.AsSpan(from, length).CopyTo(_tokens.AsSpan(at));
            _text.AsSpan(from + 1, length).CopyTo(_targets.AsSpan(at));
        }

        double loss = _parallel.Backward(Weights, _tokens, _targets);
        Step++;
        Optimizer.Step(Weights.Cells, _parallel, Step, LearningRate(Step));
        return loss;
    }

    /// <summary>The mean loss over <paramref name="text"/>, or over <paramref name="windows"/> windows of it, in nats per token.</summary>
    public double Loss(int[] text, int windows = int.MaxValue) => _parallel.Loss(Weights, text, windows);

    private void Initialize()
    {
        // GPT-2 has 0.02 at widths of 768 to 1,600, and a narrow model that begins so small hardly begins to learn.
        double normal = 0.6 / Math.Sqrt(Shape.Width);
        foreach (var (view, start) in Weights.Parts)
        {
            double deviation = start switch
            {
                InitialValue.Normal => normal,
                InitialValue.Residual => normal / Math.Sqrt(2 * Shape.Layers),
                _ => 0,
            };
            double middle = start == InitialValue.One ? 1 : 0;
            foreach (ref float cell in view.Cells.AsSpan(view.Offset, view.Rows * view.Columns))
            {
                cell = (float)(deviation == 0 ? middle : deviation * Random.Normal());
            }
        }
    }
}
