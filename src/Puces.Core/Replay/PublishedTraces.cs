namespace Puces.Core.Replay;

/// <summary>Forms in which others have published their clusters' jobs as one table.</summary>
internal static class PublishedTraces
{
    /// <summary>SenseTime's Helios (Hu et al., SC'21; S-Lab-System-Group/HeliosData, <c>cluster_log.csv</c>).</summary>
    public static readonly TraceForm Helios = new("Helios' cluster_log.csv", ["job_id", "vc", "gpu_num", "state", "submit_time", "duration"], ReadHelios);

    /// <summary>
    /// Alibaba's pods of 2023 (Weng et al., ATC'23; alibaba/clusterdata, <c>openb_pod_list_*.csv</c>). They ran from when they were scheduled; those that
    /// never were count from their creation. Variants without times have the number of the row as submit time, and no duration.
    /// </summary>
    public static readonly TraceForm Openb = new("Alibaba's openb_pod_list", ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"], ReadOpenb);

    /// <summary>The jobs that come with the simulator of Alibaba's PAI of 2020 (Weng et al., NSDI'22; <c>pai_job_*_100K.csv</c>).</summary>
    public static readonly TraceForm Pai = new("Alibaba's pai_job_*_100K.csv", ["job_id", "num_inst", "submit_time", "num_gpu", "duration"], ReadPai);

    /// <summary>
    /// All tasks of Alibaba's PAI of 2020 (<c>pai_task_table.csv</c>, under the line of its <c>.header</c>): the tasks of a job are one gang, from the first
    /// start to the last end. The table has no submit times: jobs are submitted when they started. Those that never did are left out.
    /// </summary>
    public static readonly TraceForm PaiTasks = new("Alibaba's pai_task_table.csv, with its header", ["job_name", "inst_num", "status", "start_time", "end_time", "plan_gpu"], ReadPaiTasks);

    private static void ReadHelios(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, user, vc, gpus) = (rows.Find("job_id"), rows.Find("user"), rows.Find("vc"), rows.Find("gpu_num"));
        var (cpus, state, submit, start) = (rows.Find("cpu_num"), rows.Find("state"), rows.Find("submit_time"), rows.Find("start_time"));
        var (duration, name) = (rows.Find("duration"), rows.Find("jobname"));
        var clock = new Clock();
        while (rows.Next())
        {
            var submitted = rows.MomentOrNone(submit) ?? throw rows.Wrong(submit, "is empty; write such as 2020-06-09 18:41:01");
            var ran = start >= 0 && rows.MomentOrNone(start) is null ? null : rows.SecondsOrNone(duration);
            jobs.Add(new(
                rows.Id(id), clock.Read(submitted), ran, rows.Milli(gpus), Project: rows.Name(vc), Owner: rows.Name(user), Name: rows.Name(name),
                Status: rows.Name(state), MilliCpus: rows.Milli(cpus)));
        }
        Clock.StartAtFirst(jobs);
    }

    private static void ReadOpenb(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, cpus, memory, gpus, milli) = (rows.Find("name"), rows.Find("cpu_milli"), rows.Find("memory_mib"), rows.Find("num_gpu"), rows.Find("gpu_milli"));
        var (spec, qos, phase) = (rows.Find("gpu_spec"), rows.Find("qos"), rows.Find("pod_phase"));
        var (created, deleted, scheduled) = (rows.Find("creation_time"), rows.Find("deletion_time"), rows.Find("scheduled_time"));
        for (var row = 0; rows.Next(); row++)
        {
            var submitted = created < 0 ? TimeSpan.FromSeconds(row) : rows.Seconds(created);
            var began = rows.SecondsOrNone(scheduled) ?? submitted;
            var ran = rows.SecondsOrNone(deleted) is { } end ? end - began : (TimeSpan?)null;
            if (ran < TimeSpan.Zero) throw rows.Wrong(deleted, "is before the pod began");
            var devices = rows.Milli(gpus) / 1000;
            jobs.Add(new(
                rows.Id(id), submitted, ran, devices * rows.Thousandths(milli, 1, 1000), rows.Name(spec), rows.Name(qos), Status: rows.Name(phase),
                MilliCpus: rows.Thousandths(cpus, 1), Memory: rows.Mebibytes(memory)));
        }
    }

    private static void ReadPai(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, instances, submit, cpus) = (rows.Find("job_id"), rows.Find("num_inst"), rows.Find("submit_time"), rows.Find("num_cpu"));
        var (gpus, type, duration, user, group) = (rows.Find("num_gpu"), rows.Find("gpu_type"), rows.Find("duration"), rows.Find("user"), rows.Find("group"));
        while (rows.Next())
        {
            var count = rows.Thousandths(instances, 1, 1);
            jobs.Add(new(
                rows.Id(id), rows.Seconds(submit), rows.SecondsOrNone(duration), Times(rows, count, rows.Milli(gpus)), Model(rows.Name(type)), Owner: rows.Name(user), Name: rows.Name(group),
                MilliCpus: Times(rows, count, rows.Milli(cpus))));
        }
    }

    private static void ReadPaiTasks(TraceRows rows, List<TraceJob> jobs)
    {
        var (id, task, instances, status) = (rows.Find("job_name"), rows.Find("task_name"), rows.Find("inst_num"), rows.Find("status"));
        var (start, end) = (rows.Find("start_time"), rows.Find("end_time"));
        var (cpu, memory, gpu, type) = (rows.Find("plan_cpu"), rows.Find("plan_mem"), rows.Find("plan_gpu"), rows.Find("gpu_type"));
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        while (rows.Next())
        {
            if (rows.SecondsOrNone(start) is not { } began) continue;
            var count = rows.Thousandths(instances, 1, 1);
            var ran = rows.SecondsOrNone(end) is { } ended && ended >= began ? ended - began : (TimeSpan?)null;
            var gpus = Times(rows, count, rows.Thousandths(gpu, 10));
            var part = new TraceJob(
                rows.Id(id), began, ran, gpus, gpus > 0 ? Model(rows.Name(type)) : "", Name: rows.Name(task), Status: rows.Name(status),
                MilliCpus: Times(rows, count, rows.Thousandths(cpu, 10)), Memory: new(rows.Gibibytes(memory).Bytes * count));
            if (places.TryAdd(part.Id, jobs.Count)) jobs.Add(part);
            else jobs[places[part.Id]] = Join(rows, jobs[places[part.Id]], part);
        }
    }

    private static TraceJob Join(TraceRows rows, TraceJob a, TraceJob b)
    {
        var start = a.Submitted < b.Submitted ? a.Submitted : b.Submitted;
        var end = a.Submitted + a.Duration is { } one && b.Submitted + b.Duration is { } other ? one > other ? one : other : (TimeSpan?)null;
        if ((long)a.MilliGpus + b.MilliGpus > int.MaxValue || (long)a.MilliCpus + b.MilliCpus > int.MaxValue) throw rows.Wrong($"{a.Id} asks for more than there can be");
        return a with
        {
            Submitted = start,
            Duration = end - start,
            MilliGpus = a.MilliGpus + b.MilliGpus,
            Accelerator = a.Accelerator.Length > 0 ? a.Accelerator : b.Accelerator,
            Status = b.Status == "Failed" ? b.Status : a.Status,
            MilliCpus = a.MilliCpus + b.MilliCpus,
            Memory = a.Memory + b.Memory,
        };
    }

    // MISC is whatever is older, CPU is none.
    private static string Model(string type) => type is "MISC" or "CPU" ? "" : type;

    private static int Times(TraceRows rows, int count, int each) => (long)count * each is <= int.MaxValue and var all ? (int)all : throw rows.Wrong($"{count} instances ask for more than there can be");
}
