namespace Puces.Core.Replay;

/// <summary>
/// Reads recorded histories of jobs in the forms in which they are published. Which one it is shows in its first line: no option says it.
/// </summary>
public static class Trace
{
    private static readonly TraceForm[] Tables =
    [
        CommonTrace.Form, SacctTrace.Form, PublishedTraces.Helios, PublishedTraces.Openb, PublishedTraces.Pai, PublishedTraces.PaiTasks, MuriTrace.Form,
    ];

    /// <summary>The forms that are read, each with the columns that it is known by.</summary>
    public static IReadOnlyList<string> Forms { get; } = [.. Tables.Select(t => t.ToString()), PhillyTrace.Form];

    /// <summary>All jobs by their submit time; of those submitted together, the earlier row first.</summary>
    /// <param name="file">What errors call it.</param>
    /// <exception cref="TraceException">The form is not known, or a row is wrong.</exception>
    public static IReadOnlyList<TraceJob> Read(TextReader text, string file)
    {
        var jobs = new List<TraceJob>();
        var line = 1;
        for (; text.Peek() is ' ' or '\t' or '\r' or '\n'; text.Read())
            if (text.Peek() == '\n') line++;
        if (text.Peek() is '[' or '{')
        {
            PhillyTrace.Read(text, file, line, jobs);
            return InOrder(jobs);
        }
        var rows = new TraceRows(text, file);
        var form = Tables.FirstOrDefault(t => t.Columns.All(c => rows.Find(c) >= 0)) ?? throw Unknown(file, rows.Header);
        form.Read(rows, jobs);
        return InOrder(jobs);
    }

    internal static IReadOnlyList<TraceJob> InOrder(List<TraceJob> jobs)
    {
        for (var i = 1; i < jobs.Count; i++)
            if (jobs[i].Submitted < jobs[i - 1].Submitted) return [.. jobs.OrderBy(j => j.Submitted)];
        return jobs;
    }

    private static TraceException Unknown(string file, IReadOnlyList<string> header)
    {
        var seen = string.Join(',', header);
        if (seen.Length > 60) seen = seen[..60] + "…";
        return new(file, 1, $"'{seen}' is the first line of no form that is read. These are:{string.Concat(Forms.Select(f => $"\n    {f}"))}");
    }
}

/// <summary>A form of trace that is a table.</summary>
/// <param name="Columns">Those that it always has, and is known by.</param>
internal sealed record TraceForm(string Name, string[] Columns, Action<TraceRows, List<TraceJob>> Read)
{
    public override string ToString() => $"{Name}: {string.Join(',', Columns)}";
}
