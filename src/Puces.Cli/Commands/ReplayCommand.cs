using System.CommandLine;
using Puces.Cli.Terminal;
using Puces.Core.Jobs;
using Puces.Core.Replay;
using Puces.Core.Units;

namespace Puces.Cli.Commands;

/// <summary><c>puces replay</c>: what a recorded history would have been on other nodes, or under another policy.</summary>
internal static class ReplayCommand
{
    private const string Muri = "muri";

    public static Command Create(Tools tools)
    {
        var command = new PucesCommand(
            "replay", "Run a recorded trace of jobs again, on any nodes, under one policy or several. Needs no server.",
            "puces replay philly.csv.gz --nodes 96x8                       the usual policies",
            "puces replay jobs.csv --nodes 16x8 --policy fifo,srsf --json  for programs",
            "puces replay jobs.csv --nodes 16x8 --add 2x8:H100             would two more help?",
            "puces replay sacct.txt --pools nodes.csv --html report.html   what sacct -P wrote, with charts",
            "puces replay --generate 10000:42 --nodes 16x8                 10,000 jobs made up from seed 42");
        var trace = new Argument<string?>("trace") { Arity = ArgumentArity.ZeroOrOne, Description = "A file of jobs, packed with gzip or not; - for standard input" };
        var nodes = Many("--nodes", "NxD[:MODEL]", "N nodes with D devices each; may be given again");
        var policy = Many("--policy", "NAME,…", $"Policies to compare: {string.Join(", ", Replays.Names)}");
        var pools = new Option<string?>("--pools") { HelpName = "FILE", Description = "Nodes: a table under sn,cpu_milli,memory_mib,gpu,model, or lines such as 16x8:H100" };
        var add = Many("--add", "NxD[:MODEL]", "With these nodes too");
        var remove = Many("--remove", "NxD[:MODEL]", "Without these nodes");
        var overhead = new Option<string?>("--overhead") { HelpName = "60s", Description = "How long a job that was stopped holds devices before it works again, 60s unless given; the preemptive references pay nothing" };
        var every = new Option<string?>("--checkpoint-every") { HelpName = "30m", Description = "How often jobs save what they have done: what came after is lost with a stop; when they are stopped unless given" };
        var jobsOut = new Option<string?>("--jobs-out") { HelpName = "FILE.csv", Description = "Write each job's start and end, in seconds from the first submit" };
        var html = new Option<string?>("--html") { HelpName = "FILE", Description = "Write a report with charts, one file" };
        var rules = new Option<string?>("--rules") { HelpName = Muri, Description = "Those of Muri's simulator, for a trace in its own form" };
        rules.AcceptOnlyFromAmong(Muri);
        var overheads = new Option<string?>("--overheads") { HelpName = "FILE", Description = "Seconds that Muri's rules charge: model,gpus_1,gpus_2,…" };
        var generate = new Option<string?>("--generate") { HelpName = "JOBS[:SEED]", Description = "Jobs made up from a seed, in place of a trace" };
        var history = new Option<bool>("--from-history") { Description = "The jobs that the daemon remembers, in place of a trace" };
        command.Arguments.Add(trace);
        foreach (var option in (Option[])[nodes, policy, pools, add, remove, overhead, every, jobsOut, html, rules, overheads, generate, history]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var policies = Policies(parsed.GetValue(policy) ?? [], parsed.GetValue(rules) is not null);
            var costs = new ReplayCosts(Duration(parsed, overhead) ?? ReplayCosts.Default.Restart, Duration(parsed, every) ?? default);
            var sources = (parsed.GetValue(trace) is null ? 0 : 1) + (parsed.GetValue(generate) is null ? 0 : 1) + (parsed.GetValue(history) ? 1 : 0);
            if (sources != 1) throw CommandException.Usage(sources == 0 ? "there is nothing to replay" : "TRACE, --generate and --from-history exclude each other", "puces replay TRACE --nodes 16x8");
            if (parsed.GetValue(overheads) is not null && parsed.GetValue(rules) is null) throw CommandException.Usage("--overheads are those of --rules muri", "--overhead 60s, for every start");
            var (remembered, recorded) = parsed.GetValue(history) ? await ReplayHistory.ReadAsync(tools, ct) : ([], []);
            var pool = ReplayInput.Pool(tools.Session, parsed.GetValue(nodes) ?? [], parsed.GetValue(pools), parsed.GetValue(add) ?? [], parsed.GetValue(remove) ?? [], recorded);
            var input = parsed switch
            {
                _ when parsed.GetValue(rules) is not null => MuriInput(tools.Session, parsed.GetValue(trace), parsed.GetValue(overheads), pool),
                _ when parsed.GetValue(trace) is { } path => new(path == "-" ? "standard input" : Path.GetFileName(path), ReplayInput.Read(tools.Session, path, Trace.Read), null, pool),
                _ when parsed.GetValue(generate) is { } made => new($"--generate {made}", ReplayInput.Generate(made, pool), null, pool),
                _ => new ReplayInput("history", remembered, null, pool),
            };
            input = LeaveOut(tools.Screen, input);
            foreach (var name in policies)
                if (Replays.Mistake(name, input.Jobs, input.Nodes) is { } mistake) throw CommandException.Usage(mistake, "puces replay --help");
            var told = policies.Select(name => Run(tools.Screen, input, name, costs, ct)).ToList();
            var baseline = ReplayBaseline.Of(input.Jobs, input.Nodes);
            var summaries = told.Select(t => ReplaySummary.Of(t, input.Jobs, baseline)).ToList();
            if (input.Work is null && (parsed.GetValue(add) is { Length: > 0 } || parsed.GetValue(remove) is { Length: > 0 }))
            {
                var now = ReplayInput.Pool(tools.Session, parsed.GetValue(nodes) ?? [], parsed.GetValue(pools), [], [], recorded);
                summaries = [.. told.Zip(summaries, (t, s) => Forecast(tools.Screen, input, now, t, s, costs, parsed.GetValue(history), ct))];
            }
            if (parsed.GetValue(jobsOut) is { } file)
                foreach (var one in told) ReplayOutput.WriteJobs(ReplayOutput.PathFor(tools.Session.FullPath(file), one.Policy, told.Count == 1), input.Jobs, one);
            if (parsed.GetValue(html) is { } page) ReplayOutput.WritePage(tools.Session.FullPath(page), new(input.Name, input.Jobs, input.Nodes, told, summaries, baseline));
            if (tools.WantsJson(parsed)) tools.WriteJson(summaries, ReplayJson.Default.IReadOnlyListReplaySummary);
            else ReplayOutput.WriteTable(tools.Screen, input, summaries);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Option<string[]> Many(string name, string form, string description) =>
        new(name) { HelpName = form, Description = description, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    private static IReadOnlyList<string> Policies(IReadOnlyList<string> written, bool isMuri)
    {
        var names = written.SelectMany(w => w.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Distinct().ToList();
        string[] known = isMuri ? [Replays.PreemptiveSrtf, Replays.PreemptiveSrsf] : [.. Replays.Names];
        if (names.Count == 0) return isMuri ? known : Replays.Usual;
        foreach (var name in names.Where(n => !known.Contains(n)))
        {
            var meant = Nearest.Of(name, known) is { } near ? $"; did you mean {near}?" : "";
            throw CommandException.Usage($"there is no policy '{name}' {(isMuri ? "under Muri's rules" : "here")}{meant}", $"--policy {string.Join(',', known)}");
        }
        return names;
    }

    private static TimeSpan? Duration(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is not { } text ? null : Durations.TryParse(text, out var time) ? time
        : throw CommandException.Usage($"{option.Name} {text} is no duration", $"{option.Name} {Durations.Guess(text) ?? option.HelpName}");

    private static ReplayInput MuriInput(Session session, string? trace, string? overheads, IReadOnlyList<NodeGroup> pool)
    {
        if (trace is null) throw CommandException.Usage("--rules muri needs a trace in Muri's own form", "puces replay TRACE --nodes 8x8 --rules muri");
        var lost = overheads is null ? null : ReplayInput.Read(session, overheads, MuriTrace.ReadOverheads);
        var (jobs, work) = ReplayInput.Read(session, trace, (text, file) => MuriTrace.Read(text, file, lost));
        return new(Path.GetFileName(trace) + ", by Muri's rules", jobs, work, pool);
    }

    private static ReplayInput LeaveOut(Screen screen, ReplayInput input)
    {
        var possible = Replays.Possible(input.Jobs, input.Nodes, out var withoutDuration, out var tooLarge);
        if (input.Work is not null && tooLarge > 0) throw CommandException.Usage($"{Say.Count(tooLarge, "job")} of {input.Name} ask for more than {string.Join(' ', input.Nodes)} has", "--nodes 8x8, as its authors have it");
        if (possible.Count == 0)
            throw CommandException.Usage(withoutDuration > tooLarge ? $"no job of {input.Name} says how long it ran" : $"no job of {input.Name} fits on {string.Join(' ', input.Nodes)}", "another trace, or more nodes");
        if (withoutDuration > 0) screen.Note($"left out: {Say.Count(withoutDuration, "job")} of which the trace does not say how long they ran");
        if (tooLarge > 0) screen.Note($"left out: {Say.Count(tooLarge, "job")} that ask for more than these nodes have");
        return input with { Jobs = possible };
    }

    /// <summary>The figures with what is to be expected, where the nodes that there are could carry the jobs too.</summary>
    private static ReplaySummary Forecast(
        Screen screen, ReplayInput input, IReadOnlyList<NodeGroup> now, Replayed told, ReplaySummary summary, ReplayCosts costs, bool isHistory, CancellationToken ct)
    {
        if (Replays.Possible(input.Jobs, now, out _, out _).Count < input.Jobs.Count) return summary;
        var forecast = Core.Replay.Forecast.Of(
            (jobs, nodes) => Run(screen, input with { Jobs = jobs, Nodes = nodes }, told.Policy, costs, ct), input.Jobs, now, input.Nodes, told,
            isHistory && told.Policy == Replays.Live);
        return summary with { PredictedMeanWait = forecast.MeanWait, Error = forecast.Error };
    }

    private static Replayed Run(Screen screen, ReplayInput input, string policy, ReplayCosts costs, CancellationToken ct)
    {
        var progress = new Progress(screen, policy, input.Jobs.Count, n => Say.Count(n, "job"), TimeSpan.FromSeconds(2));
        var before = Environment.CpuUsage.TotalTime;
        var told = input.Work is { } work ? Replays.RunRepack(policy, work, input.Nodes, Tell) : Replays.Run(policy, input.Jobs, input.Nodes, costs, Tell);
        screen.Status(null);
        return told with { Cpu = Environment.CpuUsage.TotalTime - before };

        void Tell(int ended)
        {
            ct.ThrowIfCancellationRequested();
            progress.Set(ended);
        }
    }
}
