using System.Diagnostics;
using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>One run of the program: trains from where the newest checkpoint stands, and says how it goes.</summary>
public sealed class Session
{
    /// <summary>Exit code after a stop by signal: EX_TEMPFAIL of sysexits.h, "start me again".</summary>
    public const int StoppedEarly = 75;

    private const int MeasuredWindows = 64;
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenCheckpoints = TimeSpan.FromSeconds(20);

    private readonly Settings _settings;
    private readonly TextWriter _output;
    private readonly Vocabulary _vocabulary;
    private readonly int[] _validation;
    private readonly Trainer _trainer;
    private readonly Checkpoints _checkpoints;
    private readonly Stopwatch _watch = new();
    private TimeSpan _before;
    private TimeSpan _savedAt;
    private double _pace;

    /// <summary>Prepares a run and prints what it will do.</summary>
    /// <exception cref="InvalidSettingException">The settings do not go with the text or the checkpoints.</exception>
    public Session(Settings settings, TextWriter output)
    {
        (_settings, _output) = (settings, output);
        var corpus = Corpus.Read(settings.Text);
        int least = settings.Context + 1;
        if (corpus.Training.Length < least || corpus.Validation.Length < least)
        {
            throw new InvalidSettingException(
                $"TEXT: '{settings.Text}' is too short: {corpus.Training.Length} characters to learn from and "
                + $"{corpus.Validation.Length} to measure on, of each at least {least} are needed");
        }

        _vocabulary = Vocabulary.Of(corpus.Training);
        _validation = _vocabulary.Encode(corpus.Validation);
        var shape = new Shape(_vocabulary.Count, settings.Context, settings.Width, settings.Layers, settings.Heads);
        _trainer = new(shape, settings, _vocabulary.Encode(corpus.Training));
        _checkpoints = Open(settings.CheckpointFolder);
        Describe(corpus, shape);
    }

    private TimeSpan Spent => _before + _watch.Elapsed;

    /// <summary>Trains to the end, or until a signal asks to stop; the exit code.</summary>
    public int Run(Signals signals)
    {
        if (_checkpoints.Newest() is { } newest)
        {
            _before = Snapshot.Restore(newest.Path, _trainer, _vocabulary, _settings.Steps);
            _output.WriteLine($"resumed from step {_trainer.Step}");
        }

        _watch.Start();
        _savedAt = Spent;
        var line = new Line(_trainer.Step, Spent, 0);
        while (_trainer.Step < _trainer.Plan)
        {
            line = line with { Losses = line.Losses + _trainer.Advance() };
            if (Spent - line.At >= BetweenLines || _trainer.Step >= _trainer.Plan)
            {
                line = Report(line);
            }

            if (signals.StopAsked)
            {
                Save("asked to stop");
                return StoppedEarly;
            }

            if (signals.TakeSave())
            {
                Save("asked for a checkpoint");
            }
            else if (Spent - _savedAt >= BetweenCheckpoints || _trainer.Step >= _trainer.Plan)
            {
                Save(null);
            }
        }

        _output.WriteLine(
            $"final validation loss {_trainer.Loss(_validation):F4} nats per character, after {_trainer.Step} steps in {Spent:m\\:ss}");
        _output.WriteLine();
        _output.WriteLine(Sampler.Write(_trainer.Shape, _trainer.Weights, _vocabulary, 400, new((ulong)_settings.Seed)));
        return 0;
    }

    private void Save(string? reason)
    {
        var checkpoint = _checkpoints.Save(
            _trainer.Step, folder => Snapshot.Write(folder, _trainer, _vocabulary, _settings.Steps, Spent.TotalSeconds));
        _savedAt = Spent;
        if (reason is not null)
        {
            _output.WriteLine($"{reason}: saved {Path.GetFileName(checkpoint.Path)}");
        }
    }

    private static Checkpoints Open(string folder)
    {
        try
        {
            return new(Directory.CreateDirectory(folder).FullName);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidSettingException($"PUCES_CHECKPOINT_DIR: cannot write to '{folder}': {exception.Message}");
        }
    }

    private void Describe(Corpus corpus, Shape shape)
    {
        _output.WriteLine(
            $"text        {corpus.Source}: {corpus.Files} files, {corpus.Training.Length:N0} characters to learn from, "
            + $"{corpus.Validation.Length:N0} to measure on");
        _output.WriteLine($"vocabulary  {_vocabulary.Count} characters");
        _output.WriteLine(
            $"model       {_trainer.Weights.Cells.Length:N0} parameters: {shape.Layers} layers of width {shape.Width}, "
            + $"{shape.Heads} heads, context {shape.Context}");
        _output.WriteLine(
            $"training    {_settings.Steps:N0} steps of {_settings.Batch} × {_settings.Context} characters, "
            + $"seed {_settings.Seed}, {_settings.Threads} threads");
    }

    /// <summary>Prints a line about the steps since the last; where the next begins.</summary>
    private Line Report(Line last)
    {
        int steps = _trainer.Step - last.Step;
        double pace = steps / (Spent - last.At).TotalSeconds;
        _pace = _pace == 0 ? pace : (0.8 * _pace) + (0.2 * pace);
        FitPlan();
        var left = TimeSpan.FromSeconds((_trainer.Plan - _trainer.Step) / _pace);
        int bar = (int)(20L * _trainer.Step / _trainer.Plan);
        _output.WriteLine(
            $"[{new string('#', bar)}{new string('.', 20 - bar)}] step {_trainer.Step,5}/{_trainer.Plan}  "
            + $"training loss {last.Losses / steps:F4}  validation loss {_trainer.Loss(_validation, MeasuredWindows):F4}  "
            + $"{pace * _trainer.TokensPerStep:N0} tokens/s  {left:m\\:ss} left");
        return new(_trainer.Step, Spent, 0);
    }

    /// <summary>
    /// Where the machine is too slow for all steps, plans as many as fit into the time: a model whose learning rate
    /// came all the way down is better than one cut off.
    /// </summary>
    private void FitPlan()
    {
        // The first steps are slow: the code is still being compiled.
        if (Spent.TotalMinutes < _settings.Minutes / 8)
        {
            return;
        }

        double left = (_settings.Minutes * 60) - Spent.TotalSeconds;
        int fitting = _trainer.Step + (int)Math.Min(Math.Max(0, left) * _pace, _settings.Steps);
        _trainer.Plan = Math.Clamp(fitting, _trainer.Step, Math.Max(_trainer.Step, _settings.Steps));
    }

    private readonly record struct Line(int Step, TimeSpan At, double Losses);
}
