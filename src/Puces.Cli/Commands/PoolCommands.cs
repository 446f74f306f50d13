using System.CommandLine;
using System.Globalization;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Puces.Core.Fleet;

namespace Puces.Cli.Commands;

/// <summary><c>puces pools</c>.</summary>
internal static class PoolCommands
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("pools", "List the pools: their nodes, and what is free on each.", "puces pools", "puces pools --json", "puces pools add ssh office --host gpu1 --host gpu2",
            "puces pools set local --gpus H100:8   eight virtual devices, for trials",
            "puces pools maintain local --node n1 --from 2026-11-24T08:00 --for 4h --note 'new switch'");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            return await tools.ShowAsync(parsed, server, "api/v1/pools", PucesServer.Json.PoolList, Write, ct);
        });
        command.Subcommands.Add(DeclareCommands.Add(tools));
        command.Subcommands.Add(DeclareCommands.Apply(tools));
        command.Subcommands.Add(DeclareCommands.Check(tools));
        command.Subcommands.Add(DeclareCommands.Remove(tools));
        command.Subcommands.Add(Set(tools));
        command.Subcommands.Add(WindowCommands.Drain(tools));
        command.Subcommands.Add(WindowCommands.Maintain(tools));
        command.Subcommands.Add(WindowCommands.Available(tools));
        command.Subcommands.Add(WindowCommands.Remove(tools));
        return command;
    }

    private static PucesCommand Set(Tools tools)
    {
        var command = new PucesCommand(
            "set", "Say what a pool has; what is not said is found on the machine. Devices that are said and not found are virtual: for trials and tests.",
            "puces pools set local --gpus H100:8 --nodes 2   two virtual nodes with eight devices each",
            "puces pools set local --detect                  what the machine really has");
        var name = new Argument<string>("name") { Description = "The pool" };
        var gpus = new Option<string?>("--gpus") { HelpName = "NAME:COUNT", Description = "Virtual devices of each node, such as H100:8" };
        var nodes = new Option<int?>("--nodes") { HelpName = "N", Description = "Virtual nodes" };
        var cpus = new Option<double?>("--cpus") { HelpName = "N", Description = "CPUs of each node" };
        var memory = new Option<string?>("--memory") { HelpName = "SIZE", Description = "Main memory of each node, such as 256GB" };
        var islands = new Option<int?>("--islands") { HelpName = "N", Description = "Virtual devices of each node that fast links join, N at a time" };
        var racks = new Option<int?>("--racks") { HelpName = "N", Description = "Nodes stand in racks, N in each: for trials of gangs" };
        var places = new Option<string[]>("--place") { HelpName = "NODE=PLACE", Description = "Where a node stands, the nearest switch last, such as n1=dc1/row2/rack7; may be repeated" };
        var detect = new Option<bool>("--detect") { Description = "Forget what was said: use what the machine has" };
        command.Arguments.Add(name);
        foreach (var option in (Option[])[gpus, nodes, cpus, memory, islands, racks, places, detect]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var pool = new SetPool(parsed.GetValue(nodes) ?? 1, parsed.GetValue(gpus), parsed.GetValue(cpus), parsed.GetValue(memory), parsed.GetValue(islands),
                Places(parsed.GetValue(nodes) ?? 1, parsed.GetValue(racks), parsed.GetValue(places) ?? []));
            var saysNothing = pool == new SetPool() && parsed.GetValue(nodes) is null;
            if (parsed.GetValue(detect) != saysNothing)
                throw CommandException.Usage(saysNothing ? "nothing to set" : "--detect goes with no other option", "puces pools set --help");
            using var server = new PucesServer(tools.Session);
            var pool1 = parsed.GetRequiredValue(name);
            using var reply = await server.SendAsync(
                PucesServer.Message(HttpMethod.Put, $"api/v1/pools/{Uri.EscapeDataString(pool1)}", pool, ContractJson.Default.SetPool), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, saysNothing ? $"pool {pool1} has what its machine has" : $"pool {pool1} is set; its devices are virtual where they were not found");
        });
        return command;
    }

    private static Dictionary<string, string>? Places(int nodes, int? racks, string[] given)
    {
        if (racks is < 1) throw CommandException.Usage($"--racks {racks}: write how many nodes stand in each", "--racks 4");
        var places = racks is { } each ? Pool.InRacks(nodes, each) : [];
        foreach (var one in given)
            places[one.Split('=')[0]] = one.Split('=', 2) is [{ Length: > 0 }, { Length: > 0 } place] ? place
                : throw CommandException.Usage($"--place {one}: write a node and where it stands", "--place n1=dc1/row2/rack7");
        return places.Count > 0 ? places : null;
    }

    private static void Write(Screen screen, PoolList list)
    {
        var table = new Table(
            new("POOL", Least: 6), new("PROVIDER"), new("NODE", Least: 8), new("DEVICES", Least: 10), new("FREE", true), new("CPUS FREE", true),
            new("MEMORY FREE", true), new("JOBS", Least: 4), new("STATE", Least: 8));
        foreach (var pool in list.Pools)
        {
            var name = pool.IsVirtual ? pool.Name + " (virtual)" : pool.Name;
            foreach (var node in pool.Nodes)
            {
                table.Add(
                    name, pool.Provider, node.Place is { } place ? $"{node.Id} in {place}" : node.Id, node.Models,
                    Of(node.FreeDevices, node.Devices) + GapText.Parts(node), Of(node.FreeCpus, node.Cpus),
                    $"{Say.Bytes(node.FreeMemory)} of {Say.Bytes(node.Memory)}", string.Join(' ', node.Jobs),
                    new Cell(
                        node.Problem ?? (!node.IsUp ? "down" : node.Closed is { } closed ? "closed " + closed : "up"),
                        node is { IsUp: true, Problem: null, Closed: null } ? Tint.Green : Tint.Red));
            }
            foreach (var offer in pool.Offers ?? [])
                table.Add(
                    name, pool.Provider, offer.Kind, offer.Model is null ? "no accelerator" : Say.Text($"{offer.Nodes} × {offer.Devices} × {offer.Model}"),
                    Of(offer.FreeDevices, (double)offer.Devices * offer.Nodes), "", "", "", offer.Problem is { } trouble ? new Cell(trouble, Tint.Red) : new Cell("to be asked for", Tint.Green));
            if (pool.Nodes.Count == 0 && pool.Offers is not { Count: > 0 } || pool.Problem is not null)
                table.Add(name, pool.Provider, "", "", Of(pool.FreeDevices, pool.Devices), "", "", "", new Cell(pool.Problem ?? "no nodes", Tint.Red));
        }
        table.Write(screen);
        foreach (var pool in list.Pools)
            foreach (var gap in pool.Gaps ?? [])
                screen.Line(string.Create(CultureInfo.InvariantCulture, $"{pool.Name}: {gap.Free} of {gap.Devices} {gap.Model} free{GapText.Of(gap)}"));
        foreach (var pool in list.Pools)
            foreach (var lease in pool.Leases ?? [])
                screen.Line(Say.Text($"{pool.Name} {lease.Id}: {lease.State} for job {lease.Job}{(lease.Reason is { } why ? ": " + why : "")}"));
        foreach (var window in list.Pools.SelectMany(p => p.Windows ?? []))
            screen.Line(Say.Text($"window {window.Number}: {window.Text}{(window.Jobs.Count > 0 ? $"; still there: {string.Join(", ", window.Jobs.Select(j => $"job {j}"))}" : "")}"));
    }

    private static string Of(double free, double all) => string.Create(CultureInfo.InvariantCulture, $"{free:0.##} of {all:0.##}");
}
