using System.CommandLine;
using System.IO.Compression;
using Puces.Cli.Terminal;
using Puces.Core.Packing;

namespace Puces.Cli.Commands;

/// <summary><c>puces pack</c>: how much of the GPUs a policy gives out before fragments keep the rest. Needs no server.</summary>
internal static class PackCommand
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand(
            "pack", "Measure how tightly a policy packs pods onto nodes: pods of a trace arrive until more is asked for than there is. Needs no server.",
            "puces pack pods.csv --nodes-file nodes.csv", "puces pack pods.csv.gz --nodes-file nodes.csv.gz --policy fgd --policy puces --seeds 3 --json");
        var file = new Argument<string>("file") { Description = "Pods: a trace in the common form, plain or .gz" };
        var nodes = new Option<string>("--nodes-file") { HelpName = "FILE", Description = "Nodes: sn,cpu_milli,memory_mib,gpu,model, plain or .gz", Required = true };
        var policies = new Option<string[]>("--policy")
        {
            HelpName = "NAME",
            Description = $"{string.Join(", ", PackPolicies.Names)}, or all; may be given more than once (default {PackPolicies.Default})",
        };
        var until = new Option<double>("--until") { HelpName = "TIMES", Description = "Stop when so many times the GPUs have been asked for", DefaultValueFactory = _ => 1.3 };
        var seeds = new Option<int>("--seeds") { HelpName = "N", Description = "Draw and shuffle the pods so many times", DefaultValueFactory = _ => 10 };
        command.Arguments.Add(file);
        foreach (var option in (Option[])[nodes, policies, until, seeds]) command.Options.Add(option);
        command.SetAction((parsed, ct) =>
        {
            var request = new Request(
                parsed.GetRequiredValue(file), parsed.GetRequiredValue(nodes), Named(parsed.GetValue(policies) ?? []), parsed.GetValue(until), parsed.GetValue(seeds));
            if (request.Until is not (> 0 and <= 10)) throw CommandException.Usage("--until must be above 0 and at most 10", "puces pack --help");
            if (request.Seeds is < 1 or > 1000) throw CommandException.Usage("--seeds must be from 1 to 1000", "puces pack --help");
            var reply = Measure(tools, request, ct);
            if (tools.WantsJson(parsed)) tools.WriteJson(reply, CliJson.Default.PackReply);
            else Write(tools.Screen, reply);
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static IReadOnlyList<string> Named(string[] policies)
    {
        if (policies.Length == 0) return [PackPolicies.Default];
        if (policies.Contains("all")) return PackPolicies.Names;
        foreach (var name in policies)
            if (PackPolicies.Mistake(name) is { } mistake) throw CommandException.Usage(mistake, "puces pack --help");
        return [.. policies.Distinct()];
    }

    private static PackReply Measure(Tools tools, Request request, CancellationToken ct)
    {
        var nodes = Read(tools.Session, request.NodesFile, PackInput.Nodes);
        var pods = Read(tools.Session, request.File, PackInput.Pods);
        var experiment = new PackExperiment(nodes, pods);
        var (done, runs) = (0L, (long)request.Policies.Count * request.Seeds);
        var progress = new Progress(tools.Screen, "packing", runs, n => Say.Count(n, "run"));
        var measured = new List<PackedReply>();
        foreach (var policy in request.Policies)
        {
            var results = new List<PackResult>();
            for (var seed = 1; seed <= request.Seeds; seed++)
            {
                ct.ThrowIfCancellationRequested();
                progress.Set(done++);
                results.Add(experiment.Run(policy, request.Until, (ulong)seed));
            }
            measured.Add(new(
                policy, results.TrueForAll(r => r.GivenAtCapacity is not null) ? Spread([.. results.Select(r => r.GivenAtCapacity ?? 0)]) : null,
                Spread([.. results.Select(r => r.GivenAtEnd)]), results.Average(r => r.Pods), results.Average(r => r.TurnedAway)));
        }
        tools.Screen.Status(null);
        return new(request.File, request.NodesFile, nodes.Count, nodes.Sum(n => n.Gpus), pods.Count, request.Until, request.Seeds, measured);
    }

    private static T Read<T>(Session session, string file, Func<TextReader, string, T> read)
    {
        try
        {
            using var stream = File.OpenRead(session.FullPath(file));
            // By its first two bytes, not by its name.
            var isPacked = stream.ReadByte() == 0x1f && stream.ReadByte() == 0x8b;
            stream.Position = 0;
            using var text = new StreamReader(isPacked ? new GZipStream(stream, CompressionMode.Decompress) : stream);
            return read(text, file);
        }
        catch (PackInputException e)
        {
            throw new CommandException(e.Message, null, ExitCodes.Failure, e);
        }
        catch (InvalidDataException e)
        {
            throw new CommandException($"{file} begins like a gzip file and goes on as none; right would be a whole .csv.gz, or plain text", null, ExitCodes.Failure, e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw CommandException.Usage($"there is no file {file}", null);
        }
    }

    private static PackSpread Spread(double[] shares)
    {
        var percent = shares.Select(s => s * 100).ToArray();
        var mean = percent.Average();
        double? deviation = percent.Length < 2 ? null : Math.Sqrt(percent.Sum(p => (p - mean) * (p - mean)) / (percent.Length - 1));
        return new(Math.Round(mean, 3), deviation is { } d ? Math.Round(d, 3) : null, [.. percent.Select(p => Math.Round(p, 3))]);
    }

    private static void Write(Screen screen, PackReply reply)
    {
        screen.Line($"{Say.Count(reply.Gpus, "GPU")} on {Say.Count(reply.Nodes, "node")}; {Say.Count(reply.Pods, "pod")}, {Say.Count(reply.Seeds, "seed")}; GPUs given out, in %");
        var table = new Table(new("POLICY"), new("100 % ASKED", true), new("SD", true), new(Say.Text($"{reply.Until * 100:0.#} % ASKED"), true), new("SD", true));
        foreach (var one in reply.Policies) table.Add(one.Policy, Mean(one.AtCapacity), Deviation(one.AtCapacity), Mean(one.AtEnd), Deviation(one.AtEnd));
        table.Write(screen);
    }

    private static string Mean(PackSpread? spread) => spread is null ? "-" : Say.Text($"{spread.Mean:0.00}");

    private static string Deviation(PackSpread? spread) => spread?.Deviation is { } d ? Say.Text($"{d:0.00}") : "-";

    private sealed record Request(string File, string NodesFile, IReadOnlyList<string> Policies, double Until, int Seeds);
}

/// <summary>The reply of <c>puces pack</c>. Shares are per cent of all GPUs.</summary>
internal sealed record PackReply(
    string File, string NodesFile, int Nodes, int Gpus, int Pods, double Until, int Seeds, IReadOnlyList<PackedReply> Policies);

/// <param name="AtCapacity">When as much had been asked for as there is; null where it did not come to that.</param>
/// <param name="AtEnd">When as much had been asked for as was said.</param>
/// <param name="Pods">Pods drawn, on average.</param>
/// <param name="TurnedAway">Pods that found no room, on average.</param>
internal sealed record PackedReply(string Policy, PackSpread? AtCapacity, PackSpread AtEnd, double Pods, double TurnedAway);

/// <param name="Deviation">The standard deviation over the seeds; null with one seed.</param>
/// <param name="Values">One for each seed.</param>
internal sealed record PackSpread(double Mean, double? Deviation, IReadOnlyList<double> Values);
