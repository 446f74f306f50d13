using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;

namespace Puces.Testing;

/// <summary>A real <c>puces-runner agent</c> on this machine, spoken to as the daemon does.</summary>
public sealed class RunnerProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly BlockingCollection<FromNode> _heard = [];
    private bool _isDisposed;

    public RunnerProcess(string root, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(Program, ["agent", "--root", root, "--blobs", Path.Combine(root, "blobs")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        _process = Process.Start(start)!;
        var lines = _process.StandardOutput;
        new Thread(() =>
        {
            while (lines.ReadLine() is { } line) _heard.Add(JsonSerializer.Deserialize(line, RunnerJson.Default.FromNode)!);
            _heard.CompleteAdding();
        })
        { IsBackground = true }.Start();
        Hello = (FromNode.Hello)Next();
    }

    /// <summary>The runner beside the tests, or another build of it that <c>PUCES_TEST_RUNNER</c> names.</summary>
    public static string Program => Environment.GetEnvironmentVariable("PUCES_TEST_RUNNER") ?? Path.Combine(AppContext.BaseDirectory, "puces-runner");

    public FromNode.Hello Hello { get; }

    /// <summary>What was heard so far of the rank's log, by tag.</summary>
    public Dictionary<string, StringBuilder> Logs { get; } = [];

    public List<FromNode> All { get; } = [];

    public void Say(ToNode message) => SayLine(JsonSerializer.Serialize(message, RunnerJson.Default.ToNode));

    public void SayLine(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    public FromNode Next()
    {
        if (!_heard.TryTake(out var message, Patience))
            throw new TimeoutException($"the agent said nothing for {Patience}; before: {string.Join('\n', All.TakeLast(5))}");
        All.Add(message);
        if (message is FromNode.Log log)
        {
            if (!Logs.TryGetValue(log.Tag, out var text)) Logs[log.Tag] = text = new();
            text.Append(Encoding.UTF8.GetString(log.Data));
        }
        return message;
    }

    public T Until<T>(Predicate<T> isIt) where T : FromNode
    {
        for (var begun = Stopwatch.StartNew(); begun.Elapsed < Patience;)
            if (Next() is T message && isIt(message)) return message;
        throw new TimeoutException($"no {typeof(T).Name} within {Patience}; the last: {string.Join('\n', All.TakeLast(5))}");
    }

    public RankReport UntilPhase(string tag, RankPhase phase) => Until<FromNode.Report>(r => r.Rank.Tag == tag && r.Rank.Phase == phase).Rank;

    /// <summary>Starts a rank and waits until it is over.</summary>
    public RankReport Run(RankOrder order)
    {
        Say(new ToNode.Start(order));
        return UntilOver(order.Tag);
    }

    public RankReport UntilOver(string tag) => Until<FromNode.Report>(r =>
        r.Rank.Tag == tag && r.Rank.Phase is RankPhase.Ended or RankPhase.Vanished or RankPhase.Refused).Rank;

    /// <summary>Waits until the log holds the text.</summary>
    public void UntilLogged(string tag, string text)
    {
        while (!LogOf(tag).Contains(text, StringComparison.Ordinal)) Next();
    }

    public string LogOf(string tag) => Logs.TryGetValue(tag, out var text) ? text.ToString() : "";

    /// <summary>The lines of one stream, without their times.</summary>
    public string[] Lines(string tag, char stream) =>
        [.. LogOf(tag).Split('\n').Where(line => line.Length > 29 && line[28] == stream).Select(line => line[30..])];

    /// <summary>The connection ends; the agent goes.</summary>
    public void Close()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
    }

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }
}
