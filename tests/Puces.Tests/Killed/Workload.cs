using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>
/// A stream of short jobs and a long one that saves itself. They bear witness in a folder of their own, where a lock shows what runs
/// twice at a time: whatever is killed meanwhile, afterwards it can be told what ran, how often, and what was kept.
/// </summary>
internal sealed partial class Workload(Client client, string runner, CancellationToken ct) : IAsyncDisposable
{
    private const int Lines = 30, MostUnended = 6, FollowEvery = 5;

    // A killed process holds no lock: what still does runs.
    private const string Begin = """
        exec 9>"$WITNESS/$KEY.lock"
        flock -n 9 || echo "$KEY overlap $PUCES_ATTEMPT" >>"$WITNESS/story"

        """;

    private const string Short = Begin + """
        echo "$KEY begin $PUCES_ATTEMPT" >>"$WITNESS/story"
        i=0
        while [ $i -lt 30 ]; do i=$((i + 1)); echo "$KEY line $i"; if [ $((i % 10)) = 0 ]; then sleep 0.04; fi; done
        echo "$KEY end $PUCES_ATTEMPT" >>"$WITNESS/story"
        """;

    private const string Long = Begin + """
        step=$(cat "$PUCES_CHECKPOINT_DIR/step" 2>/dev/null || echo 0)
        echo $$ >"$WITNESS/long.pid"
        echo "$KEY begin $PUCES_ATTEMPT" >>"$WITNESS/story"
        while [ ! -e "$WITNESS/enough" ]; do
          step=$((step + 1))
          echo "$PUCES_ATTEMPT $step" >>"$WITNESS/steps"
          echo "step $step"
          if { echo $step >"$PUCES_CHECKPOINT_DIR/step.new"; } 2>/dev/null && mv "$PUCES_CHECKPOINT_DIR/step.new" "$PUCES_CHECKPOINT_DIR/step"; then :; fi
          sleep 0.1
        done
        echo "$KEY end $PUCES_ATTEMPT" >>"$WITNESS/story"
        """;

    private readonly string _witness = Directory.CreateTempSubdirectory("puces-witness-").FullName;
    private readonly List<(string Key, long Job)> _jobs = [];
    private readonly List<(long Job, Task<IReadOnlyList<LogLine>> Lines)> _followers = [];
    private readonly HashSet<int> _killed = [];
    private readonly CancellationTokenSource _enough = new();
    private Task _submitting = Task.CompletedTask;

    public int Count => _jobs.Count;

    public long LongJob { get; private set; }

    /// <summary>Attempts of the long job that were killed here.</summary>
    public int LongKills => _killed.Count;

    /// <summary>The disk of the node may be full: that costs lines, and a word says how many.</summary>
    public bool MayLoseLines { get; init; }

    /// <summary>Lines that logs say are lost.</summary>
    public int LostLines { get; private set; }

    public async Task StartAsync()
    {
        File.WriteAllText(Path.Combine(_witness, "story"), "");
        LongJob = (await client.SubmitAsync(new(Spec("long", Long) with { Retries = new(1000, TimeSpan.FromMilliseconds(50)) }, "ada"), "long", ct)).Id;
        _followers.Add((LongJob, client.FollowAsync(LongJob, ct)));
        _submitting = SubmitAsync();
    }

    /// <summary>Kills the long job's watcher, or the job itself, once in each attempt at most.</summary>
    public bool TryKillLong(bool watcher)
    {
        if (Story().LastOrDefault(s => s.Key == "long") is not { What: "begin", Attempt: var attempt } || _killed.Contains(attempt)) return false;
        var file = watcher ? Path.Combine(runner, "ranks", $"{LongJob}-{attempt}.0", "watcher") : Path.Combine(_witness, "long.pid");
        if (!int.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return false;
        _killed.Add(attempt);
        using var process = Process.GetProcessById(pid);
        process.Kill();
        return true;
    }

    /// <summary>Lets everything come to its end, and checks all that is promised.</summary>
    public async Task FinishAsync()
    {
        await _enough.CancelAsync();
        await _submitting;
        File.WriteAllText(Path.Combine(_witness, "enough"), "");
        var ends = new Dictionary<long, JobDetail> { [LongJob] = await client.EndAsync(LongJob, ct) };
        foreach (var (_, job) in _jobs) ends[job] = await client.EndAsync(job, ct);

        var story = Story();
        Assert.DoesNotContain(story, s => s.What == "overlap");
        Assert.All(ends.Values, end => Assert.True(end.Job.State == "succeeded", $"job {end.Job.Id} ({end.Job.Name}) {end.Job.State}: {end.Job.Reason}"));
        CheckFeed(await client.FeedAsync(ct), ends);
        foreach (var (key, job) in _jobs)
        {
            var told = story.Where(s => s.Key == key).ToList();
            var attempt = ends[job].Job.Attempt;
            Assert.Equal(key, ends[job].Job.Name);
            Assert.Equal([(key, "begin", attempt), (key, "end", attempt)], told);
            Assert.Equal(1, attempt);
            LostLines += CheckLog(key, await client.FollowAsync(job, ct));
        }
        await CheckLongAsync(ends[LongJob], story);
        foreach (var (job, lines) in _followers.Skip(1)) CheckLog(_jobs.First(j => j.Job == job).Key, await lines);
        // What is stored and read whole is forgotten where it ran.
        for (var begun = Stopwatch.StartNew(); Directory.EnumerateDirectories(Path.Combine(runner, "ranks")).Any(); await Task.Delay(20, ct))
            Assert.True(begun.Elapsed < TimeSpan.FromSeconds(30), "ranks that are over are left on the node");
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _submitting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        File.WriteAllText(Path.Combine(_witness, "enough"), "");
        _enough.Dispose();
        Directory.Delete(_witness, recursive: true);
    }

    private async Task SubmitAsync()
    {
        while (!_enough.IsCancellationRequested)
        {
            if (_jobs.Count - Story().Count(s => s.What == "end" && s.Key != "long") < MostUnended)
            {
                var key = $"short-{_jobs.Count + 1}";
                var job = await client.SubmitAsync(new(Spec(key, Short), "ada"), key, ct);
                _jobs.Add((key, job.Id));
                if (_jobs.Count % FollowEvery == 0) _followers.Add((job.Id, client.FollowAsync(job.Id, ct)));
            }
            await Task.Delay(30, ct);
        }
    }

    private JobSpec Spec(string key, string script) => new(key, new(script), Cpus: 0.1)
    {
        Env = new Dictionary<string, string> { ["WITNESS"] = _witness, ["KEY"] = key },
    };

    private List<(string Key, string What, int Attempt)> Story() =>
        [.. File.ReadAllLines(Path.Combine(_witness, "story")).Select(line => line.Split(' ')).Select(p => (p[0], p[1], int.Parse(p[2], CultureInfo.InvariantCulture)))];

    /// <summary>Each line once, and in order; what is missing is told where it is missing.</summary>
    private int CheckLog(string name, IEnumerable<string> expected, IEnumerable<LogLine> lines)
    {
        var told = lines.ToList();
        var (left, lost) = (new Queue<string>(expected), 0);
        var isWhole = true;
        foreach (var line in told)
        {
            if (MayLoseLines && line.Stream == "puces" && Lost().Match(line.Text) is { Success: true } match)
            {
                var count = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
                lost += count;
                for (; count > 0 && isWhole; count--) isWhole = left.TryDequeue(out _);
            }
            else isWhole &= left.TryDequeue(out var next) && next == line.Text;
        }
        Assert.True(isWhole && left.Count == 0, $"the log of {name} is not whole and in order:\n{string.Join('\n', told.Select(l => $"{l.Attempt} {l.Stream} {l.Text}"))}");
        return lost;
    }

    private int CheckLog(string key, IReadOnlyList<LogLine> lines) => CheckLog(key, Enumerable.Range(1, Lines).Select(i => $"{key} line {i}"), lines);

    [GeneratedRegex("^… ([0-9]+) lines lost here: the disk was full …$")]
    private static partial Regex Lost();

    /// <summary>Every key made one job, every job has one end, and no line of the feed is missing.</summary>
    private void CheckFeed(IReadOnlyList<FeedLine> feed, Dictionary<long, JobDetail> ends)
    {
        Assert.Equal(Enumerable.Range(1, feed.Count).Select(i => (long)i), feed.Select(l => l.Seq));
        foreach (var kind in (string[])["submitted", "ended"])
            Assert.Equal(ends.Keys.Order(), feed.Where(l => l.Kind == kind).Select(l => l.Job!.Value).Order());
        Assert.Equal(_jobs.Count + 1, ends.Count);
        foreach (var (job, end) in ends)
            Assert.Equal((end.Job.Attempt, end.Job.Attempt), (feed.Count(l => l.Kind == "started" && l.Job == job), end.Attempts.Count));
    }

    /// <summary>One attempt for each kill and one more; each goes on where the one before had saved, and its log tells every step.</summary>
    private async Task CheckLongAsync(JobDetail end, List<(string Key, string What, int Attempt)> story)
    {
        var attempts = story.Where(s => s is { Key: "long", What: "begin" }).Select(s => s.Attempt).ToList();
        Assert.Equal(Enumerable.Range(1, end.Job.Attempt), attempts);
        Assert.Equal(LongKills + 1, attempts.Count);
        var steps = File.ReadAllLines(Path.Combine(_witness, "steps")).Select(line => line.Split(' '))
            .Select(p => (Attempt: int.Parse(p[0], CultureInfo.InvariantCulture), Step: int.Parse(p[1], CultureInfo.InvariantCulture))).ToList();
        for (var i = 1; i < steps.Count; i++)
        {
            var gone = steps[i].Step - steps[i - 1].Step;
            Assert.True(gone == 1 || gone == 0 && steps[i].Attempt > steps[i - 1].Attempt, $"attempt {steps[i].Attempt} does step {steps[i].Step} after {steps[i - 1]}");
        }
        var followed = await _followers[0].Lines;
        var lines = await client.FollowAsync(LongJob, ct);
        Assert.Equal(lines, followed);
        foreach (var attempt in attempts)
        {
            var told = lines.Where(l => l.Attempt == attempt).ToList();
            var done = steps.Where(s => s.Attempt == attempt).Select(s => $"step {s.Step}").ToList();
            // With the watcher goes what it had not read yet.
            LostLines += CheckLog($"attempt {attempt} of the long job", _killed.Contains(attempt) ? done.Take(told.Count) : done, told);
        }
    }
}
