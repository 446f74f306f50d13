using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// The real <c>pucesd</c> on a folder of its own, with the real runner. It may be killed and started again on the same folder; what it
/// left running is ended with the test.
/// </summary>
public sealed class DaemonProcess(params string[] arguments) : IAsyncDisposable
{
    /// <summary>How long anything may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private Process? _process;
    private HttpClient? _http;

    /// <summary>The build of the daemon beside the tests, or another one that <c>PUCES_TEST_DAEMON</c> names.</summary>
    public static string Program => Environment.GetEnvironmentVariable("PUCES_TEST_DAEMON") ?? Path.Combine(AppContext.BaseDirectory, "pucesd");

    /// <summary>The daemon's data folder.</summary>
    public string Data { get => field ??= Directory.CreateTempSubdirectory("puces-daemon-").FullName; init; }

    /// <summary>The data folder as the daemon sees it, where that is not as the test does.</summary>
    public string DataInside { get => field ?? Data; init; }

    /// <summary>A program and its arguments that start the daemon in surroundings of its own.</summary>
    public string[] Inside { get; init; } = [];

    /// <summary>What its environment has beside that of the tests.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    public int Pid => _process!.Id;

    public bool HasExited => _process!.HasExited;

    /// <summary>Speaks to the daemon that was started last, with its token.</summary>
    public HttpClient Http => _http!;

    public string Url => Http.BaseAddress!.ToString();

    public string Token => File.ReadAllText(Path.Combine(Data, "token")).Trim();

    /// <summary>Everything that the daemon wrote to its standard error.</summary>
    public string ErrorFile => Path.Combine(Data, "stderr");

    public DaemonProcess With(string variable, string value)
    {
        Variables[variable] = value;
        return this;
    }

    /// <summary>Starts it, and waits until it leads.</summary>
    public async Task StartAsync(CancellationToken ct, bool untilReady = true)
    {
        Launch();
        await UntilAsync(() => File.Exists(Path.Combine(Data, "server.json")) && ReadPid() == Pid, ct);
        using (var server = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Data, "server.json"), ct)))
        {
            _http?.Dispose();
            _http = new() { BaseAddress = new(server.RootElement.GetProperty("url").GetString() + "/"), Timeout = Patience };
        }
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        if (untilReady) await UntilAsync(async () => (await _http.GetAsync("readyz", ct)).IsSuccessStatusCode, ct);
    }

    /// <summary>Starts the process and waits for nothing.</summary>
    public void Launch()
    {
        // The shell only leads its output into a file that outlives it: a pipe would die with whoever reads it.
        string[] words = ["-c", "exec \"$@\" >>\"$PUCES_TEST_OUTPUT\" 2>&1", "sh", .. Inside, Program, "--data", DataInside, .. arguments];
        var start = new ProcessStartInfo("/bin/sh", words) { RedirectStandardInput = true };
        start.Environment["PUCES_TEST_OUTPUT"] = ErrorFile;
        foreach (var (name, value) in Variables) start.Environment[name] = value;
        _process?.Dispose();
        _process = Process.Start(start)!;
    }

    /// <summary>SIGKILL: no word of farewell.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; returns its exit code.</summary>
    public async Task<int> StopAsync(CancellationToken ct)
    {
        using (var kill = Process.Start("kill", ["-TERM", Pid.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(ct);
        await _process!.WaitForExitAsync(ct);
        return _process.ExitCode;
    }

    public async Task<JobView> SubmitAsync(SubmitJob job, CancellationToken ct, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/jobs") { Content = JsonContent.Create(job, ContractJson.Default.SubmitJob) };
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        using var reply = await Http.SendAsync(request, ct);
        if (!reply.IsSuccessStatusCode) throw new HttpRequestException($"{(int)reply.StatusCode}: {await reply.Content.ReadAsStringAsync(ct)}");
        return (await reply.Content.ReadFromJsonAsync(ContractJson.Default.JobView, ct))!;
    }

    /// <summary>Submits a shell script that asks for nothing in particular.</summary>
    public Task<JobView> SubmitAsync(string script, CancellationToken ct, Func<JobSpec, JobSpec>? with = null) =>
        SubmitAsync(new SubmitJob((with ?? (s => s))(new("trial", new(script)))), ct);

    public async Task<JobDetail> ShowAsync(long job, CancellationToken ct) =>
        (await Http.GetFromJsonAsync($"api/v1/jobs/{job}", ContractJson.Default.JobDetail, ct))!;

    /// <summary>Waits until the job is as said.</summary>
    public async Task<JobDetail> UntilAsync(long job, Predicate<JobView> isSo, CancellationToken ct)
    {
        for (var begun = Stopwatch.StartNew(); ;)
        {
            var detail = await ShowAsync(job, ct);
            if (isSo(detail.Job)) return detail;
            Assert.True(begun.Elapsed < Patience, $"job {job} is still {detail.Job.State} ({detail.Job.Reason})\n{await File.ReadAllTextAsync(ErrorFile, ct)}");
            await Task.Delay(20, ct);
        }
    }

    /// <summary>The job once it is over.</summary>
    public Task<JobDetail> EndAsync(long job, CancellationToken ct) => UntilAsync(job, j => j.IsOver, ct);

    /// <summary>All lines of the job's log, after it has ended whole; or those that are there now.</summary>
    public async Task<IReadOnlyList<LogLine>> LogAsync(long job, CancellationToken ct, bool isEnded = true)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"api/v1/jobs/{job}/logs?follow={(isEnded ? "true" : "false")}");
        request.Headers.Accept.Add(new("text/event-stream"));
        using var reply = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        reply.EnsureSuccessStatusCode();
        await using var body = await reply.Content.ReadAsStreamAsync(ct);
        var lines = new List<LogLine>();
        await foreach (var item in SseParser.Create(body).EnumerateAsync(ct))
            if (item.EventType == "message" && item.Data.StartsWith('{')) lines.Add(JsonSerializer.Deserialize(item.Data, ContractJson.Default.LogLine)!);
        return lines;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false }) await KillAsync();
        _process?.Dispose();
        _process = null;
        _http?.Dispose();
        // Agents end by themselves; what jobs left running is ended by the folder that it works in.
        await UntilAsync(() =>
        {
            foreach (var pid in Left())
            {
                try { Process.GetProcessById(pid).Kill(); }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException) { }
            }
            try { Directory.Delete(Data, recursive: true); }
            catch (DirectoryNotFoundException) { }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }
            return true;
        }, CancellationToken.None);
    }

    /// <summary>Processes that work in the data folder or name it on their command line, the daemon not among them.</summary>
    public IReadOnlyList<int> Left()
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var pid) || pid == Environment.ProcessId || (_process is { HasExited: false } && pid == _process.Id)) continue;
            try
            {
                var works = new DirectoryInfo(folder + "/cwd").LinkTarget ?? "";
                if (works.StartsWith(DataInside, StringComparison.Ordinal) || File.ReadAllText(folder + "/cmdline").Contains(DataInside, StringComparison.Ordinal)) found.Add(pid);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
        return found;
    }

    private int ReadPid()
    {
        try
        {
            using var server = JsonDocument.Parse(File.ReadAllText(Path.Combine(Data, "server.json")));
            return server.RootElement.GetProperty("pid").GetInt32();
        }
        catch (Exception e) when (e is IOException or JsonException) { return 0; }
    }

    private Task UntilAsync(Func<bool> isSo, CancellationToken ct) => UntilAsync(() => Task.FromResult(isSo()), ct);

    private async Task UntilAsync(Func<Task<bool>> isSo, CancellationToken ct)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(10, ct))
        {
            Assert.True(begun.Elapsed < Patience, "the daemon does not get there; it says: " + (File.Exists(ErrorFile) ? File.ReadAllText(ErrorFile) : "nothing"));
        }
    }
}
