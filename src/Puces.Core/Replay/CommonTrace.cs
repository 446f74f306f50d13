namespace Puces.Core.Replay;

/// <summary>
/// Our own form: <c>job_id,submit_s,duration_s,gpus</c>, and where known <c>gpu_type,project,status,cpus,mem_gb,owner,name</c>. Times are in
/// seconds, <c>gpus</c> is the whole gang, <c>mem_gb</c> is GiB; empty is unknown.
/// </summary>
internal static class CommonTrace
{
    public static readonly TraceForm Form = new("common", ["job_id", "submit_s", "duration_s", "gpus"], Read);

    private static void Read(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, submit, duration, gpus) = (rows.Find("job_id"), rows.Find("submit_s"), rows.Find("duration_s"), rows.Find("gpus"));
        var (type, project, status) = (rows.Find("gpu_type"), rows.Find("project"), rows.Find("status"));
        var (cpus, memory, owner, name) = (rows.Find("cpus"), rows.Find("mem_gb"), rows.Find("owner"), rows.Find("name"));
        while (rows.Next())
            jobs.Add(new(
                rows.Id(id), rows.Seconds(submit), rows.SecondsOrNone(duration), rows.Milli(gpus), rows.Name(type), rows.Name(project),
                rows.Name(owner), rows.Name(name), rows.Name(status), rows.Milli(cpus), rows.Gibibytes(memory)));
    }
}
