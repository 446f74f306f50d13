using System.Runtime.InteropServices;
using System.Text.Json;
using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>What a checkpoint holds beside weights and optimizer: with them a training goes on as if it had never stopped.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Plan">Steps that the training was to have, after a shortage of time.</param>
/// <param name="Steps">Steps that it was asked for.</param>
/// <param name="Seconds">Time spent in training so far.</param>
/// <param name="Random">State of the generator that chooses the text.</param>
/// <param name="Shape">Size of the model.</param>
/// <param name="Vocabulary">The characters of its tokens.</param>
public sealed record Snapshot(int Step, int Plan, int Steps, double Seconds, ulong Random, Shape Shape, string Vocabulary)
{
    private const string StateName = "state.json";
    private const string ModelName = "model.bin";
    private const string OptimizerName = "optimizer.bin";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        IgnoreReadOnlyProperties = true,
    };

    /// <summary>Writes the state of <paramref name="trainer"/> as three files into a folder.</summary>
    public static void Write(string folder, Trainer trainer, Vocabulary vocabulary, int steps, double seconds)
    {
        var state = new Snapshot(
            trainer.Step, trainer.Plan, steps, seconds, trainer.Random.State, trainer.Shape, vocabulary.Characters);
        Checkpoints.WriteThrough(Path.Combine(folder, StateName), stream => JsonSerializer.Serialize(stream, state, Json));
        Checkpoints.WriteThrough(Path.Combine(folder, ModelName), stream => stream.Write(Bytes(trainer.Weights.Cells)));
        Checkpoints.WriteThrough(Path.Combine(folder, OptimizerName), stream =>
        {
            stream.Write(Bytes(trainer.Optimizer.Mean));
            stream.Write(Bytes(trainer.Optimizer.Square));
        });
    }

    /// <summary>Puts <paramref name="trainer"/> into the state that a folder holds; the time already spent.</summary>
    /// <exception cref="InvalidSettingException">The folder is of a model of another size or vocabulary.</exception>
    public static TimeSpan Restore(string folder, Trainer trainer, Vocabulary vocabulary, int steps)
    {
        var state = JsonSerializer.Deserialize<Snapshot>(File.ReadAllBytes(Path.Combine(folder, StateName)), Json)
            ?? throw new InvalidDataException($"{folder}/{StateName} is empty");
        if (state.Shape != trainer.Shape || state.Vocabulary != vocabulary.Characters)
        {
            throw new InvalidSettingException(
                $"the checkpoint '{folder}' is of another text or model: remove it, or set PUCES_CHECKPOINT_DIR to another folder");
        }

        using (var stream = File.OpenRead(Path.Combine(folder, ModelName)))
        {
            stream.ReadExactly(Bytes(trainer.Weights.Cells));
        }

        using (var stream = File.OpenRead(Path.Combine(folder, OptimizerName)))
        {
            stream.ReadExactly(Bytes(trainer.Optimizer.Mean));
            stream.ReadExactly(Bytes(trainer.Optimizer.Square));
        }

        trainer.Step = state.Step;
        trainer.Plan = state.Steps == steps ? state.Plan : steps;
        trainer.Random = new(state.Random);
        return TimeSpan.FromSeconds(state.Seconds);
    }

    private static Span<byte> Bytes(float[] cells) => MemoryMarshal.AsBytes(cells.AsSpan());
}
