using System.Globalization;
using Puces.Core.Replay;

namespace Puces.Bench.Measurements;

/// <summary>How long jobs of public traces wait on pools that are too small for them, under each policy.</summary>
internal static class WaitingTime
{
    private const int DevicesOfNode = 8;

    /// <summary>Traces on pools that are full most of the time; whether there is an optimum to compare with.</summary>
    private static readonly (string Trace, int Nodes, bool HasOptimum)[] Tight =
        [("itp_cluster02", 16, true), ("itp_cluster03", 24, true), ("itp_cluster05", 2, true), ("itp_cluster07", 40, false), ("itp_cluster08", 12, true)];

    private static readonly (string Trace, int Nodes, bool HasOptimum)[] Wide = [("philly_2017_10", 96, false), ("philly_2017_10", 60, false)];

    private sealed record Row(string Policy, ReplaySummary Summary, double Closed);

    public static Task TakeAsync(Bench bench)
    {
        var report = bench.Report;
        report.Line("Waiting without knowing durations: public traces replayed under every policy");
        report.Line();
        report.Line($"date      {DateTime.UtcNow:yyyy-MM-dd} UTC");
        report.Line($"machine   {Machine.Describe()}; every figure but CPU is the same on any machine");
        report.Line($"command   {bench.Options.Command}");
        report.Line("told      sjf and srsf know each duration, preemptive-srtf and -srsf too; fifo, las, puces and what else there is do not");
        report.Line($"costs     each go after a stop holds the devices {ReplayCosts.Default.Restart.TotalSeconds:0} s without work; the preemptive references pay nothing");
        report.Line("closed    share of the way from fifo's mean JCT to the best one known: preemptive-srsf, which knows all durations and moves jobs at no cost;");
        report.Line("          where it is not replayed, to a lower bound that no schedule can reach: then the share is too low");
        report.Line("wait      completion time less duration; ×: p99.9 against fifo's; ftf: finish-time fairness of the worst project, at most 1 is fair");
        if (!SharedTraces.AreThere)
        {
            report.Heading("Not measured: ../shared with the public traces is not there.");
            return Task.CompletedTask;
        }
        var tight = Tight.Select(t => (t.Trace, t.Nodes, Rows: Take(report, t.Trace, t.Nodes, t.HasOptimum))).ToList();
        foreach (var (trace, nodes, hasOptimum) in Wide) Take(report, trace, nodes, hasOptimum);
        Summarise(report, tight);
        return Task.CompletedTask;
    }

    private static List<Row> Take(Report report, string trace, int nodes, bool hasOptimum)
    {
        NodeGroup[] pool = [new(nodes, DevicesOfNode)];
        var jobs = Replays.Possible(SharedTraces.Read(trace), pool, out _, out var tooLarge);
        var baseline = ReplayBaseline.Of(jobs, pool);
        string[] policies = [.. Replays.Names.Where(n => hasOptimum || n is not (Replays.PreemptiveSrtf or Replays.PreemptiveSrsf))];
        var told = policies.ToDictionary(p => p, p =>
        {
            var begun = Machine.ThreadCpu;
            var replayed = Replays.Run(p, jobs, pool, ReplayCosts.Default);
            return ReplaySummary.Of(replayed with { Cpu = Machine.ThreadCpu - begun }, jobs, baseline);
        });
        var fifo = told["fifo"];
        var best = hasOptimum ? told[Replays.PreemptiveSrsf].MeanJct : baseline.BoundMeanJct;
        report.Heading(Invariant($"{trace} on {nodes} nodes of {DevicesOfNode}: {jobs.Count} jobs{(tooLarge > 0 ? Invariant($" ({tooLarge} too large for the pool)") : "")}, fifo uses {fifo.Utilisation:0.0%}; {(hasOptimum ? "optimum" : "lower bound")} {best.TotalSeconds:0} s"));
        report.Line($"  {"policy",-16} {"mean JCT",9} {"closed",7} {"mean wait",9} {"p50",8} {"p99.9 wait",10} {"×",6} {"ftf",6} {"stops",6} {"lost",7} {"CPU",6}");
        report.Line($"  {"",-16} {"s",9} {"%",7} {"s",9} {"s",8} {"s",10} {"",6} {"",6} {"",6} {"dev h",7} {"s",6}");
        var rows = new List<Row>();
        foreach (var policy in policies)
        {
            var row = told[policy];
            var closed = (fifo.MeanJct - row.MeanJct) / (fifo.MeanJct - best);
            rows.Add(new(policy, row, closed));
            report.Line(Invariant($"  {policy,-16} {row.MeanJct.TotalSeconds,9:0} {100 * closed,7:0.0} {row.MeanWait.TotalSeconds,9:0} {row.P50Wait.TotalSeconds,8:0} {row.P999Wait.TotalSeconds,10:0} {row.P999Wait / fifo.P999Wait,6:0.00} {row.WorstProjectFtf,6:0.00} {row.Preemptions,6} {row.WorkLost.TotalHours,7:0} {row.Cpu.TotalSeconds,6:0.00}"));
        }
        return rows;
    }

    private static void Summarise(Report report, List<(string Trace, int Nodes, List<Row> Rows)> pools)
    {
        report.Heading("The five tight pools together");
        report.Line($"  {"policy",-16} {"closed, mean",12} {"least",7} {"p99.9 ×, mean",13} {"most",6} {"ftf, mean",9} {"most",6} {"dev h lost",10}  on");
        foreach (var policy in Replays.Names)
        {
            Row[] rows = [.. pools.SelectMany(p => p.Rows.Where(r => r.Policy == policy))];
            double[] tails = [.. pools.Where(p => p.Rows.Exists(r => r.Policy == policy)).Select(p => p.Rows.Find(r => r.Policy == policy)!.Summary.P999Wait / p.Rows[0].Summary.P999Wait)];
            report.Line(Invariant($"  {policy,-16} {rows.Average(r => 100 * r.Closed),12:0.0} {rows.Min(r => 100 * r.Closed),7:0.0} {tails.Average(),13:0.00} {tails.Max(),6:0.00} {rows.Average(r => r.Summary.WorstProjectFtf),9:0.00} {rows.Max(r => r.Summary.WorstProjectFtf),6:0.00} {rows.Sum(r => r.Summary.WorkLost.TotalHours),10:0}  {rows.Length} pools"));
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
