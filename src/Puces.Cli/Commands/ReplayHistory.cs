using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Puces.Core.Replay;

namespace Puces.Cli.Commands;

/// <summary>What the daemon remembers, as a trace with the pool that it ran on.</summary>
internal static class ReplayHistory
{
    public static async Task<(IReadOnlyList<TraceJob> Jobs, IReadOnlyList<NodeGroup> Nodes)> ReadAsync(Tools tools, CancellationToken ct)
    {
        using var server = new PucesServer(tools.Session);
        var jobs = new List<JobDetail>();
        var first = default(HistoryPage);
        for (long? after = 0; after is { } last;)
        {
            var page = await server.GetAsync($"api/v1/history?after={last}", PucesServer.Json.HistoryPage, ct);
            first ??= page;
            jobs.AddRange(page.Jobs);
            tools.Screen.Status($"read {Say.Count(jobs.Count, "job")}");
            after = page.Next;
        }
        tools.Screen.Status(null);
        if (jobs.Count == 0) throw new CommandException("the daemon remembers no job", "puces run, or puces replay TRACE --nodes 16x8");
        var running = jobs.Count(j => !j.Job.IsOver && j.Job.State != "queued");
        if (running > 0) tools.Screen.Note($"{Say.Count(running, "job")} still run: each counts as if it ended now");
        return (HistoryTrace.Jobs(jobs, first!.At), HistoryTrace.Pool(first));
    }
}
