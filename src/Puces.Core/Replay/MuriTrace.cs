using System.Globalization;

namespace Puces.Core.Replay;

/// <summary>
/// The traces of Muri (Zhao et al., SIGCOMM'22) with their exact work: <c>job_id,num_gpu,submit_time,iterations,model_name,iteration_time</c> and columns that
/// are of no use here; times are in milliseconds. The ids get an m in front, as in the common form of the same traces.
/// </summary>
public static class MuriTrace
{
    internal static readonly TraceForm Form = new("Muri", ["job_id", "num_gpu", "submit_time", "iterations", "model_name", "iteration_time"], (rows, jobs) => Rows(rows, (job, _) => jobs.Add(job)));

    /// <summary>Its simulator slows every job by 1.5 %.</summary>
    private const double Slowdown = 1.015;

    /// <summary>What its simulator charges a model that its table of overheads does not have.</summary>
    private const int UsualOverhead = 10;

    /// <summary>Reads a trace for its simulator's rules.</summary>
    /// <param name="overheads">Seconds lost by model and by the power of two of the devices: see <see cref="ReadOverheads"/>; null for none.</param>
    /// <returns>Jobs with the durations that these rules give them, and the same jobs' work.</returns>
    public static (IReadOnlyList<TraceJob> Jobs, IReadOnlyList<RepackJob> Work) Read(TextReader text, string file, IReadOnlyDictionary<string, int[]>? overheads)
    {
        var rows = new TraceRows(text, file);
        if (Form.Columns.FirstOrDefault(c => rows.Find(c) < 0) is { } missing)
            throw new TraceException(file, 1, $"there is no column {missing}; Muri's rules need the trace in its own form: {string.Join(',', Form.Columns)}");
        var read = new List<(TraceJob Job, RepackJob Work)>();
        Rows(rows, (job, work) =>
        {
            var lost = overheads is null ? 0 : Overhead(overheads, job.Name, work.Gpus);
            read.Add((job with { Duration = Seconds.Time(work.Iterations * work.IterationTime) }, work with { Overhead = lost }));
        });
        var ordered = read.OrderBy(r => r.Work.Submitted).ToList();
        return ([.. ordered.Select(r => r.Job)], [.. ordered.Select(r => r.Work)]);
    }

    /// <summary>Reads <c>model,gpus_1,gpus_2,gpus_4,…</c>: whole seconds.</summary>
    public static IReadOnlyDictionary<string, int[]> ReadOverheads(TextReader text, string file)
    {
        var rows = new TraceRows(text, file);
        if (rows.Header[0] != "model" || rows.Header.Count < 2) throw new TraceException(file, 1, "the first line must be model,gpus_1,gpus_2,gpus_4 and so on");
        var overheads = new Dictionary<string, int[]>(StringComparer.Ordinal);
        while (rows.Next())
        {
            var seconds = new int[rows.Header.Count - 1];
            for (var i = 0; i < seconds.Length; i++)
                if (!int.TryParse(rows[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out seconds[i])) throw rows.Wrong(i + 1, "is no whole number of seconds");
            overheads[rows.Id(0)] = seconds;
        }
        return overheads;
    }

    private static int Overhead(IReadOnlyDictionary<string, int[]> overheads, string model, int gpus) =>
        overheads.TryGetValue(model, out var known) ? known[Math.Min(int.Log2(gpus), known.Length - 1)] : UsualOverhead;

    private static void Rows(TraceRows rows, Action<TraceJob, RepackJob> add)
    {
        var (id, gpus, submit) = (rows.Find("job_id"), rows.Find("num_gpu"), rows.Find("submit_time"));
        var (iterations, model, time) = (rows.Find("iterations"), rows.Find("model_name"), rows.Find("iteration_time"));
        while (rows.Next())
        {
            if (!int.TryParse(rows[gpus], NumberStyles.None, CultureInfo.InvariantCulture, out var devices) || devices is < 1 or > 1_000_000)
                throw rows.Wrong(gpus, "is no whole number of devices above zero");
            var (submitted, count, each) = (Number(submit), Number(iterations), Number(time));
            var name = rows.Name(model);
            // In the order of the simulator's own operations: see Repack.
            add(new("m" + rows.Id(id), Seconds.Time(submitted / 1000), Seconds.Time(count * each / 1000), devices * 1000, Project: name, Name: name),
                new(submitted / 1000, devices, count, each * Slowdown / 1000));
        }

        double Number(int column) => double.TryParse(rows[column], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and < 1e15
            ? number : throw rows.Wrong(column, "is no number; write such as 2868294000");
    }
}
