using System.Globalization;
using System.Text;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Runner.Attempt;
using Puces.Runner.Limits;
using Puces.Runner.Posix;

namespace Puces.Runner.Containers;

/// <summary>
/// The container of one rank: made, started, asked and taken away by its engine. Its name is written down before it is made, so that whoever
/// comes after a killed watcher finds it.
/// </summary>
internal sealed class Container(Engine engine, Box box, RankFolder rank, Func<bool> mustEnd)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), PullPatience = TimeSpan.FromHours(6);

    private readonly Dictionary<string, string> _variables = ForProgram(engine, box, rank);
    private int _first;

    public bool IsApart => engine.IsApart;

    /// <summary>The container of a rank whose folders are ready.</summary>
    /// <param name="variables">What the rank would be told outside of a container.</param>
    /// <param name="checkpoints">Where it saves itself.</param>
    public static Container Of(RankOrder order, RankFolder rank, Layout layout, string work, string checkpoints, Dictionary<string, string> variables, Func<bool> mustEnd)
    {
        var engine = Engines.Named(order.Engine) ?? Engines.All[0];
        var devices = order.EnforceLimits ? order.Devices.Where(IsHere).ToList() : [];
        List<string> folders = [layout.Job(order.Job), rank.Scratch];
        foreach (var folder in (string?[])[checkpoints, variables.GetValueOrDefault("PUCES_SHARED")])
            if (folder is { Length: > 0 } && !folders.Exists(f => folder == f || folder.StartsWith(f + "/", StringComparison.Ordinal))) folders.Add(folder);
        var limits = order.EnforceLimits;
        return new(engine, new(
            "puces-" + rank.Name, order.Image!, work, folders, Surroundings.Inside(variables, order, work, devices), rank.Scratch, layout.Images,
            Script.Command(order, rank.Scratch), devices, limits ? order.MilliCpus : 0, limits ? order.Memory : 0, Libc.UserId(), Libc.GroupId(), Groups()), rank, mustEnd);
    }

    /// <summary>Fetches the image where it is missing, and makes the container; why not, in the engine's words, or null.</summary>
    public string? Make(Action<string> say)
    {
        if (!Do(engine.Has(box)).IsDone && Pull(say) is { } problem) return problem;
        if (!Files.TryWrite(box.VariablesFile, Encoding.UTF8.GetBytes(string.Concat(engine.VariableLines(box).Select(line => line + "\n"))))
            || !Files.TryWrite(rank.Container, Encoding.UTF8.GetBytes($"{engine.Name}\n{box.Name}"))) throw new IOException($"cannot write to {rank.Path}: {Libc.Why(Libc.Errno)}", Libc.Errno);
        if (engine.Create(box) is not { } words) return null;
        var made = Do(words);
        _ = Libc.Unlink(box.VariablesFile);
        return made.IsDone ? null : $"{engine.Name} would not make a container of {box.Image}: {made.Words}";
    }

    private string? Pull(Action<string> say)
    {
        say($"Pulling {box.Image} with {engine.Name}.");
        var begun = Environment.TickCount64;
        if (engine.ImageFile(box) is not null) Files.MakeFolder(box.Images);
        var pulled = Tool.Run(engine.Pull(box), PullPatience, mustEnd, _variables);
        if (!pulled.IsDone)
            return $"{engine.Name} could not pull {box.Image}: {pulled.Words}\nIs the name right, and may this node read it? Try it there: {string.Join(' ', engine.Pull(box))}";
        if (engine.ImageFile(box) is var (from, to) && Libc.Rename(from, to) != 0) return $"cannot move {from} to {to}: {Libc.Why(Libc.Errno)}";
        say($"Pulled {box.Image} in {(Environment.TickCount64 - begun) / 1000.0:0.0} s.");
        return null;
    }

    /// <summary>The program that hands through the container's streams, and ends with it.</summary>
    public Launched Start()
    {
        var words = engine.Start(box);
        return Launch.Find(words[0], "/", _variables["PATH"]) is { } program ? Launch.Start(program, words, box.Work, _variables)
            : new(0, -1, -1, 127, $"{words[0]} is not on this node any more");
    }

    /// <summary>What runs inside, as the node sees it, the first process first; null where that cannot be told.</summary>
    public List<Processes.Entry>? Inside()
    {
        // The engine may stand on another machine, and mean its own numbers.
        if (_first == 0 && Look() is { IsRunning: true, Pid: > 0 } state && Processes.Bears(state.Pid, RankFolder.Mark + "=" + rank.Path)) _first = state.Pid;
        return _first != 0 && Processes.Find(_first) is { State: not 'Z' } first ? [first, .. Processes.Below(_first)] : null;
    }

    /// <summary>Notes what it has used, for as long as it is there to be asked.</summary>
    public void Measure()
    {
        if (!IsApart || _first == 0 && Inside() is null) return;
        var (cpu, peak) = Cgroups.UseOf(_first);
        // While it lives its control groups are there: of one that is gone what was read may be the node's.
        if (!Processes.IsAlive(_first)) return;
        if (cpu > Cpu) Cpu = cpu;
        PeakMemory = Math.Max(PeakMemory, peak);
    }

    /// <summary>As it was last measured; zero for one that ended before.</summary>
    public TimeSpan Cpu { get; private set; }

    public long PeakMemory { get; private set; }

    /// <summary>Sends a signal to everything inside, or by way of the engine to its first process; SIGKILL, which ends it all, always that way.</summary>
    public bool Signal(int signal)
    {
        if (signal == Signals.Kill || Inside() is not { } inside) return Do(engine.Kill(box.Name, Signals.Name(signal))).IsDone;
        Processes.Signal(inside, signal);
        return true;
    }

    /// <summary>How it stands with the container. Null where the engine knows nothing of it, or does not answer.</summary>
    public ContainerState? Look()
    {
        var said = Do(engine.Inspect(box.Name));
        var words = said.Output.Split(' ', 6);
        return said.IsDone && words.Length >= 5 && int.TryParse(words[1], out var pid) && int.TryParse(words[2], out var code)
            ? new(words[0], pid, code, words[3] == "true", words[4], words.Length > 5 ? words[5] : "") : null;
    }

    /// <summary>Takes it away; false where the engine does not.</summary>
    public bool Remove() => Remove(engine, box.Name, rank);

    /// <summary>Takes away what a dead watcher has left; true where there is nothing.</summary>
    public static bool Clear(RankFolder rank)
    {
        if (!File.Exists(rank.Container)) return true;
        return File.ReadAllLines(rank.Container) is not [var engine, var name] || Engines.Named(engine) is not { } known || Remove(known, name, rank);
    }

    private static bool Remove(Engine engine, string name, RankFolder rank)
    {
        if (engine.Remove(name) is { } words)
        {
            var said = Tool.Run(words, Patience, () => false);
            var isUnknown = said.Words.Contains("no such container", StringComparison.OrdinalIgnoreCase) || said.Words.Contains("No such file", StringComparison.Ordinal);
            if (!said.IsDone && !isUnknown) return false;
        }
        _ = Libc.Unlink(rank.Container);
        return true;
    }

    private Said Do(IReadOnlyList<string> words) => words.Count == 0 ? new(1, "", "") : Tool.Run(words, Patience, () => false, _variables);

    private static Dictionary<string, string> ForProgram(Engine engine, Box box, RankFolder rank)
    {
        var all = Surroundings.ForEngine();
        foreach (var (name, value) in engine.ForProgram(box)) all[name] = value;
        // By this it is found where its watcher was killed.
        all[RankFolder.Mark] = rank.Path;
        return all;
    }

    private static bool IsHere(Device device) => device.Vendor switch
    {
        "nvidia" => Path.Exists("/dev/nvidiactl") || Path.Exists("/dev/dxg"),
        "amd" => Path.Exists("/dev/kfd"),
        _ => Path.Exists("/dev/dri"),
    };

    private static List<int> Groups()
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("Groups:", StringComparison.Ordinal));
        return [.. line[7..].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(g => int.Parse(g, CultureInfo.InvariantCulture))];
    }
}

/// <summary>A container as its engine sees it.</summary>
/// <param name="Word">The engine's: <c>created</c>, <c>running</c>, <c>exited</c>, …</param>
/// <param name="Pid">Of its first process; zero where it does not run.</param>
/// <param name="Error">Why it did not start, where the engine remembers.</param>
internal sealed record ContainerState(string Word, int Pid, int ExitCode, bool RanOutOfMemory, string Id, string Error)
{
    public bool IsRunning => Word is "running" or "paused" or "stopping";
    public bool HasBegun => IsRunning || Word is "exited" or "stopped" or "dead";
}
