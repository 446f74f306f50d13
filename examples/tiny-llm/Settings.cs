using System.Globalization;

namespace TinyLlm;

/// <summary>What a run is asked to do; each value is an environment variable of the name given.</summary>
public sealed record Settings
{
    /// <summary>TEXT: a file, or a folder of *.md, *.cs and *.txt files.</summary>
    public required string Text { get; init; }

    /// <summary>PUCES_CHECKPOINT_DIR: the folder of checkpoints.</summary>
    public string CheckpointFolder { get; init; } = "checkpoints";

    /// <summary>STEPS: optimizer steps; the learning rate comes down over them.</summary>
    public int Steps { get; init; } = 6500;

    /// <summary>MINUTES: most time spent in training, over all attempts; where it is too short the steps become fewer.</summary>
    public double Minutes { get; init; } = 3.5;

    /// <summary>SEED: decides first weights, order of the text and the sample.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>CONTEXT: characters that the model sees at once.</summary>
    public int Context { get; init; } = 128;

    /// <summary>WIDTH: numbers that stand for one character inside the model.</summary>
    public int Width { get; init; } = 96;

    /// <summary>LAYERS: blocks of attention and MLP.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>HEADS: attention heads, which share the width.</summary>
    public int Heads { get; init; } = 3;

    /// <summary>BATCH: sequences of CONTEXT characters per step; a multiple of 4 keeps up to 4 threads busy.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>LEARNING_RATE: its peak, after the warm-up.</summary>
    public double LearningRate { get; init; } = 3e-3;

    /// <summary>THREADS: the result does not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Reads the settings through <paramref name="variable"/>, which gives null for what is not set.</summary>
    /// <exception cref="InvalidSettingException">A value that cannot be used.</exception>
    public static Settings Read(Func<string, string?> variable)
    {
        var standard = new Settings { Text = "" };
        string text = variable("TEXT") is { Length: > 0 } set ? set
            : Directory.Exists("text") ? "text"
            : throw new InvalidSettingException("TEXT is not set: name a file or a folder of *.md, *.cs and *.txt files");
        var settings = new Settings
        {
            Text = text,
            CheckpointFolder = variable("PUCES_CHECKPOINT_DIR") is { Length: > 0 } folder ? folder : standard.CheckpointFolder,
            Steps = Number("STEPS", standard.Steps, 1, 10_000_000),
            Minutes = Number("MINUTES", standard.Minutes, 0.01, 1e6),
            Seed = Number("SEED", standard.Seed, int.MinValue, int.MaxValue),
            Context = Number("CONTEXT", standard.Context, 8, 4096),
            Width = Number("WIDTH", standard.Width, 8, 4096),
            Layers = Number("LAYERS", standard.Layers, 1, 64),
            Heads = Number("HEADS", standard.Heads, 1, 64),
            Batch = Number("BATCH", standard.Batch, 1, 4096),
            LearningRate = Number("LEARNING_RATE", standard.LearningRate, 1e-8, 1),
            Threads = Number("THREADS", standard.Threads, 1, 1024),
        };
        return settings.Width % settings.Heads == 0
            ? settings
            : throw new InvalidSettingException($"WIDTH must be a multiple of HEADS: {settings.Width} is not one of {settings.Heads}");

        T Number<T>(string name, T otherwise, T least, T most) where T : System.Numerics.INumber<T>
        {
            if (variable(name) is not { Length: > 0 } value)
            {
                return otherwise;
            }

            return T.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
                ? number
                : throw new InvalidSettingException(
                    string.Create(CultureInfo.InvariantCulture, $"{name} must be a number from {least} to {most}, not '{value}'"));
        }
    }
}

/// <summary>A setting or an input that cannot be used; the message says which, and what would be right.</summary>
public sealed class InvalidSettingException(string message) : Exception(message);
