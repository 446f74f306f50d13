using System.Globalization;
using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>
/// Slurm's accounting, as <c>sacct -P</c> writes it: <c>JobID,Submit</c>, one of <c>Elapsed,ElapsedRaw</c>, one of <c>AllocTRES,ReqTRES</c>, and where asked for
/// <c>Start,Account,Partition,User,JobName,State</c>. Steps are left out; each element of an array is a job. Jobs that have not ended, or never began, have no duration.
/// </summary>
internal static class SacctTrace
{
    public static readonly TraceForm Form = new("sacct -P, with Elapsed and AllocTRES", ["JobID", "Submit"], Read);

    private static void Read(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, submit, start, elapsed, raw) = (rows.Find("JobID"), rows.Find("Submit"), rows.Find("Start"), rows.Find("Elapsed"), rows.Find("ElapsedRaw"));
        var (given, asked, state, user, name) = (rows.Find("AllocTRES"), rows.Find("ReqTRES"), rows.Find("State"), rows.Find("User"), rows.Find("JobName"));
        var project = rows.Find("Account") is >= 0 and var account ? account : rows.Find("Partition");
        if (elapsed < 0 && raw < 0) throw rows.Wrong("there is no column Elapsed; add it to sacct --format");
        if (given < 0 && asked < 0) throw rows.Wrong("there is no column AllocTRES; add it to sacct --format");
        var clock = new Clock();
        while (rows.Next())
        {
            if (rows[id].Contains('.')) continue;
            var submitted = rows.MomentOrNone(submit) ?? throw rows.Wrong(submit, "is no moment; sacct writes such as 2026-03-01T12:00:00");
            var isStarted = (start < 0 || rows.MomentOrNone(start) is not null) && (given < 0 || !rows[given].IsEmpty);
            var isOver = !rows[state].StartsWith("PENDING") && !rows[state].StartsWith("RUNNING") && !rows[state].StartsWith("SUSPENDED");
            var tres = Tres.Of(rows, given >= 0 && !rows[given].IsEmpty ? given : asked);
            jobs.Add(new(
                rows.Id(id), clock.Read(submitted), isStarted && isOver ? Ran(rows, elapsed, raw) : null, tres.Gpus * 1000, tres.Accelerator, rows.Name(project), rows.Name(user), rows.Name(name),
                Word(rows.Name(state)), tres.Cpus * 1000, tres.Memory));
        }
        Clock.StartAtFirst(jobs);
    }

    private static TimeSpan Ran(TraceRows rows, int elapsed, int raw)
    {
        if (raw >= 0) return rows.Seconds(raw);
        return Durations.TryParse(rows[elapsed].ToString(), out var time) ? time : throw rows.Wrong(elapsed, "is no duration; sacct writes such as 1-02:03:04");
    }

    // CANCELLED by 1000
    private static string Word(string state) => state.IndexOf(' ', StringComparison.Ordinal) is > 0 and var end ? state[..end] : state;

    private readonly record struct Tres(int Gpus, string Accelerator, int Cpus, Memory Memory)
    {
        /// <summary>Reads such as <c>cpu=16,gres/gpu:h100=8,gres/gpu=8,mem=512G,node=1</c>.</summary>
        public static Tres Of(TraceRows rows, int column)
        {
            var (all, typed, accelerator, cpus, memory) = (-1, 0, "", 0, default(Memory));
            if (column < 0) return default;
            var text = rows[column];
            foreach (var range in text.Split(','))
            {
                var part = text[range];
                var equals = part.IndexOf('=');
                if (equals < 0) continue;
                var key = part[..equals];
                var value = part[(equals + 1)..];
                if (key is "gres/gpu") all = Count(value);
                else if (key.StartsWith("gres/gpu:"))
                {
                    typed += Count(value);
                    var model = key["gres/gpu:".Length..].ToString().ToUpperInvariant();
                    accelerator = accelerator.Length == 0 ? model : $"{accelerator}|{model}";
                }
                else if (key is "cpu") cpus = Count(value);
                else if (key is "mem") memory = Size(value);
            }
            return new(all >= 0 ? all : typed, accelerator, cpus, memory);

            int Count(ReadOnlySpan<char> value) => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= 1_000_000
                ? count : throw rows.Wrong(column, "has a count that is no whole number; sacct writes such as cpu=16,gres/gpu=8,mem=512G");

            Memory Size(ReadOnlySpan<char> value)
            {
                var power = value.IsEmpty ? -1 : "KMGTP".IndexOf(value[^1], StringComparison.Ordinal);
                var number = power < 0 ? value : value[..^1];
                // Without a letter it is in MiB.
                return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) && amount < 1_000_000_000
                    ? new((long)(amount * (1L << (10 * (power < 0 ? 2 : power + 1))))) : throw rows.Wrong(column, "has an amount of memory that is none; sacct writes such as mem=512G");
            }
        }
    }
}
