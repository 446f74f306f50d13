using System.Diagnostics;
using Puces.Core.Fleet;
using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Puces.Core.Units;

namespace Puces.Bench.Measurements;

/// <summary>How fast histories are replayed, and what one pass of the scheduler costs. CPU times: other work on the machine changes them little.</summary>
internal static class ReplaySpeed
{
    private const int DevicesOfNode = 8;

    public static async Task TakeAsync(Bench bench)
    {
        var report = bench.Report;
        report.Line("The scheduler's own speed: replayed histories, and single passes");
        report.Line();
        report.Line($"date      {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, load {Machine.Load}");
        report.Line($"machine   {Machine.Describe()}");
        report.Line($"command   {bench.Options.Command}");
        report.Line("times     CPU of the one thread that works, best of several rounds where it says so; other work on the machine slows it through the caches");
        await BesideReferenceAsync(bench);
        Grow(bench);
    }

    public static Task TakePassesAsync(Bench bench)
    {
        foreach (var policy in (string[])["fifo", "puces"]) OnePass(bench, policy);
        OnePass(bench, "puces", isBegunAtOnce: false);
        foreach (var isBegunAtOnce in (bool[])[true, false]) OnePass(bench, "puces", isBegunAtOnce, hasManyProjects: true);
        IdleNodes(bench);
        return Task.CompletedTask;
    }

    private static async Task BesideReferenceAsync(Bench bench)
    {
        const string Name = "philly_2017_10";
        const int Nodes = 96;
        var report = bench.Report;
        var isThere = SharedTraces.AreThere;
        var jobs = isThere && !bench.Options.IsQuick ? SharedTraces.Read(Name) : TraceGenerator.Generate(bench.Count(47_192, 500), 1, Nodes * DevicesOfNode);
        report.Heading(isThere && !bench.Options.IsQuick
            ? $"{Name}, {Figures.Show(jobs.Count)} jobs, on {Nodes} nodes of {DevicesOfNode}"
            : $"{Figures.Show(jobs.Count)} generated jobs, on {Nodes} nodes of {DevicesOfNode} (../shared with the public traces is not there, or the run is a quick one)");
        var reference = double.NaN;
        if (isThere && !bench.Options.IsQuick)
        {
            // What it takes to start and to read the trace is not counted: measured apart, with the same calls.
            var (folder, file) = (SharedTraces.Path("reference"), SharedTraces.FileOf(Name));
            var (whole, reading) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
            for (var round = 0; round < 3; round++)
            {
                var read = await Machine.CpuOfAsync("python3", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import ref_sim; ref_sim.load(sys.argv[2])", folder, file);
                var run = await Machine.CpuOfAsync("python3", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import ref_sim; ref_sim.pool(ref_sim.load(sys.argv[2]), int(sys.argv[3]), 'fifo')", folder, file, $"{Nodes}");
                (reading, whole) = (Min(reading, read), Min(whole, run));
            }
            reference = jobs.Count / (whole - reading).TotalSeconds;
            report.Figure("Python", "ref_sim.py, fifo, its loop alone", reference, "jobs/s", $"{whole.TotalSeconds:0.00} s less {reading.TotalSeconds:0.00} s to start and read");
        }
        foreach (var policy in (string[])["fifo", "sjf", "las", "puces"])
        {
            var first = Cpu(() => Run(policy, jobs, Nodes));
            var best = TimeSpan.MaxValue;
            for (var round = 0; round < (bench.Options.IsQuick ? 1 : 10); round++) best = Min(best, Cpu(() => Run(policy, jobs, Nodes)));
            var rate = jobs.Count / best.TotalSeconds;
            report.Figure("Puces", policy, rate, "jobs/s", $"best of 10; the first run of the process {Figures.Show(jobs.Count / first.TotalSeconds)}; {Figures.Show(rate / reference)} × the reference's fifo");
            if (policy == "fifo")
            {
                report.Aim("jobs replayed a second under fifo", rate, "jobs/s", 1_000_000);
                report.Aim("the same, against the Python reference", rate / reference, "×", 10);
            }
        }
    }

    private static void Grow(Bench bench)
    {
        var report = bench.Report;
        report.Heading("Growth with the jobs: generated, on 125 nodes of 8 (1 000 devices), load 90 %");
        foreach (var policy in (string[])["fifo", "puces"])
        {
            var rates = new List<double>();
            foreach (var count in (int[])[10_000, 100_000, 1_000_000])
                rates.Add(Take(bench, policy, count, 125, bench.Options.IsQuick || policy != "fifo" && count > 10_000 ? 1 : 3));
            report.Aim($"{policy}: CPU of a job among 1,000,000, against one among 10,000", rates[0] / rates[^1], "×", 2, isAtMost: true);
        }
        report.Heading("Growth with the devices: generated jobs, nodes of 8, load 90 % of each pool");
        foreach (var policy in (string[])["fifo", "puces"])
            foreach (var nodes in (int[])[13, 125, 1250, 12_500])
                Take(bench, policy, policy == "fifo" ? 100_000 : 20_000, nodes, 1);
    }

    private static double Take(Bench bench, string policy, int count, int nodes, int rounds)
    {
        var jobs = TraceGenerator.Generate(bench.Count(count, 200), 1, nodes * DevicesOfNode);
        var (best, wall) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var round = 0; round < rounds; round++)
        {
            var begun = Stopwatch.GetTimestamp();
            best = Min(best, Cpu(() => Run(policy, jobs, nodes)));
            wall = Min(wall, Stopwatch.GetElapsedTime(begun));
        }
        var rate = jobs.Count / best.TotalSeconds;
        bench.Report.Figure("Puces", $"{policy}, {Figures.Show(jobs.Count)} jobs, {Figures.Show(nodes * DevicesOfNode)} devices", rate, "jobs/s", $"{Figures.Show(best.TotalSeconds)} s of CPU, {Figures.Show(wall.TotalSeconds)} s wall; best of {rounds}");
        return rate;
    }

    /// <summary>The devices are held; one job ends, and the line is looked at.</summary>
    /// <param name="isBegunAtOnce">All that hold began at one moment, so that what is expected of many comes to pass at one moment too; else over half a day.</param>
    private static void OnePass(Bench bench, string policy, bool isBegunAtOnce = true, bool hasManyProjects = false)
    {
        var (nodes, waiting, ends) = (bench.Options.IsQuick ? 100 : 12_500, bench.Count(10_000), bench.Count(1000, 20));
        var report = bench.Report;
        var name = $"{policy}{(hasManyProjects ? ", 20 projects of 50 owners" : "")}, jobs begun {(isBegunAtOnce ? "at once" : "over half a day")}";
        report.Heading($"{name}: one release and the pass after it, {Figures.Show(waiting)} generated jobs waiting for {Figures.Show(nodes * DevicesOfNode)} devices, {(hasManyProjects ? "five projects with a quota, four in five jobs" : "every job")} may be stopped");
        var (scheduler, shapes, now) = (new Scheduler(Policies.Find(policy)!, GridOf(nodes)), new Shapes(), TimeSpan.Zero);
        var jobs = TraceGenerator.Generate(waiting + nodes * DevicesOfNode + ends, 1, nodes * DevicesOfNode);
        var (next, number, draw) = (0, 0L, new Random(7));
        for (var project = 0; hasManyProjects && project < 20; project++)
            scheduler.Set(new($"project-{project}", Weight: 1 + project % 3, Quota: project % 4 == 0 ? new Dictionary<string, int> { ["H100"] = nodes * DevicesOfNode / 40 } : null));
        var leaving = new List<Claim>();
        if (isBegunAtOnce)
            while ((scheduler.Grid.FreeDevices > 0 || scheduler.WaitingCount < waiting) && next < jobs.Count)
            {
                Add();
                if ((next & 0xFF) == 0) scheduler.Decide(now);
            }
        else Live(bench.Options.IsQuick ? TimeSpan.FromHours(1) : TimeSpan.FromHours(12));
        var luck = new Random(1);
        var (times, walls, starts, stops, bytes) = (new List<double>(), new List<double>(), 0, 0, 0L);
        for (var i = -50; i < ends; i++)
        {
            now += TimeSpan.FromSeconds(1);
            while (scheduler.WaitingCount < waiting) Add();
            var ending = scheduler.Holding[luck.Next(scheduler.Holding.Count)];
            if (i == 0) bytes = GC.GetAllocatedBytesForCurrentThread();
            var (begun, cpu) = (Stopwatch.GetTimestamp(), Machine.ThreadCpu);
            // Those that were told to stop do; otherwise one ends.
            if (leaving.Count == 0) scheduler.End(ending, ending.Attained(now), now);
            var plan = Pass();
            if (i < 0) continue;
            times.Add((Machine.ThreadCpu - cpu).TotalMilliseconds);
            walls.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            starts += plan.Starts.Count;
            stops += plan.Stops.Count;
        }
        bytes = (GC.GetAllocatedBytesForCurrentThread() - bytes) / ends;
        report.Figure("Puces", "CPU, median", times.Median(), "ms", $"p99 {Figures.Show(times.Quantile(0.99))}, longest {Figures.Show(times.Max())}; wall: median {Figures.Show(walls.Median())}, p99 {Figures.Show(walls.Quantile(0.99))}");
        report.Figure("Puces", "starts of one pass, mean", (double)starts / ends, "jobs", $"{Figures.Show((double)stops / ends)} told to stop; {Figures.Show(bytes)} bytes allocated, with the arrivals; {ends} passes, a second apart");
        report.Aim($"{name}: one release and the pass after it, p99 of CPU", times.Quantile(0.99), "ms", 5, isAtMost: true);

        Plan Pass()
        {
            foreach (var claim in leaving)
            {
                scheduler.Leave(claim, claim.Attained(now));
                scheduler.Add(claim, now);
            }
            var plan = scheduler.Decide(now);
            leaving.Clear();
            leaving.AddRange(plan.Stops.Select(s => s.Victim));
            return plan;
        }

        // Everybody runs as long as the trace says.
        void Live(TimeSpan until)
        {
            var (durations, due) = (new Dictionary<Claim, TimeSpan>(), new PriorityQueue<(Claim Claim, int Attempt), (TimeSpan, long)>());
            for (; now < until; now += TimeSpan.FromSeconds(20))
            {
                while (due.TryPeek(out var ending, out var at) && at.Item1 <= now)
                {
                    due.Dequeue();
                    if (ending.Claim.IsHolding && ending.Claim.Attempts == ending.Attempt && durations.Remove(ending.Claim, out var worked)) scheduler.End(ending.Claim, worked, now);
                }
                leaving.RemoveAll(c => !c.IsHolding);
                while (scheduler.WaitingCount < waiting) durations[Add()] = jobs[(next - 1) % jobs.Count].Duration!.Value;
                foreach (var started in Pass().Starts) due.Enqueue((started, started.Attempts), (now + durations[started] - started.Worked, started.Number));
            }
        }

        Claim Add()
        {
            var job = jobs[next++ % jobs.Count];
            var shape = shapes.Of(job.MilliGpus, "", 0, default, [DevicesOfNode]);
            var owner = draw.Next(1000);
            Claim claim = hasManyProjects
                ? new() { Number = number++, Shape = shape, Submitted = now, Project = $"project-{owner % 20}", Owner = $"owner-{owner}", Name = draw.Next(2) == 0 ? "train" : "tune", CanYield = draw.Next(5) > 0 }
                : new() { Number = number++, Shape = shape, Submitted = now, Project = job.Project, Owner = job.Owner, Name = job.Name, CanYield = true };
            scheduler.Add(claim, now);
            return claim;
        }
    }

    private static void IdleNodes(Bench bench)
    {
        bench.Report.Heading("500 waiting jobs of one device on 1 000 idle nodes of 8, all started in one pass (Slurm 22.05: more than 45 s)");
        foreach (var policy in (string[])["fifo", "puces"])
        {
            var times = new List<double>();
            for (var round = 0; round < bench.Count(50, 5); round++)
            {
                var (scheduler, shapes) = (new Scheduler(Policies.Find(policy)!, GridOf(1000)), new Shapes());
                for (var i = 0; i < 500; i++)
                    scheduler.Add(new() { Number = i, Shape = shapes.Of(1000, "", 0, default, [DevicesOfNode]), Project = "p", Owner = "ann", Name = $"job-{i}" }, TimeSpan.Zero);
                times.Add(Cpu(() =>
                {
                    if (scheduler.Decide(TimeSpan.Zero).Starts.Count != 500) throw new BenchException("not all were started");
                }).TotalMilliseconds);
            }
            bench.Report.Figure("Puces", policy, times.Median(), "ms", $"median of {times.Count}; the first of the process {Figures.Show(times[0])}, best {Figures.Show(times.Min())}");
        }
    }

    private static Grid GridOf(int nodes)
    {
        var grid = new Grid();
        Device[] devices = [.. Enumerable.Range(0, DevicesOfNode).Select(i => new Device(i, "H100", "nvidia", new Memory(80_000_000_000)))];
        for (var i = 0; i < nodes; i++) grid.Set(new($"pool/n{i:D6}", "pool", devices, 0, default, IsVirtual: true, IsUp: true, default));
        return grid;
    }

    private static void Run(string policy, IReadOnlyList<TraceJob> jobs, int nodes) => Replays.Run(policy, jobs, [new(nodes, DevicesOfNode)], ReplayCosts.Default);

    private static TimeSpan Cpu(Action work)
    {
        var before = Machine.ThreadCpu;
        work();
        return Machine.ThreadCpu - before;
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
