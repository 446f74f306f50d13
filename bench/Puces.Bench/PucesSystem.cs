using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Bench;

/// <summary>A <c>pucesd</c> on an empty folder, with virtual nodes of the same sizes as Slurm's, in a control group.</summary>
internal sealed class PucesSystem : IAsyncDisposable
{
    private readonly Options _options;
    private readonly CpuGroup _group;
    private readonly string _data, _empty;
    private readonly int _nodes;
    private Process? _process;
    private HttpClient _http = new();

    public PucesSystem(Options options, int nodes)
    {
        (_options, _nodes) = (options, nodes);
        _data = Path.Combine(options.Folder, "puces-" + Guid.NewGuid().ToString("N")[..8]);
        _group = new(Path.GetFileName(_data));
        // The client packs the folder that it is called in: sbatch sends none.
        _empty = Directory.CreateDirectory(Path.Combine(_data, "empty")).FullName;
    }

    public HttpClient Http => _http;
    /// <summary>Milliseconds of the daemon, its agents, watchers and jobs.</summary>
    public double Cpu => _group.Used;
    public int Pid => _process!.Id;

    /// <summary>From the start of the process until it takes jobs, and until all its nodes are there.</summary>
    public (TimeSpan Ready, TimeSpan Nodes) StartTime { get; private set; }

    /// <summary>Variables for the <c>puces</c> command, so that it speaks with this daemon.</summary>
    public IReadOnlyDictionary<string, string> Client => new Dictionary<string, string>
    {
        ["PUCES_URL"] = _http.BaseAddress!.ToString(),
        ["PUCES_TOKEN"] = Token,
        ["HOME"] = _data,
    };

    private string Token => File.ReadAllText(Path.Combine(_data, "token")).Trim();

    /// <summary>Stops it and starts it again on the same data.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await LaunchAsync();
    }

    public Task<string> RunClientAsync(params string[] words) => Shell.RunAsync([Path.Combine(_options.Programs, "puces"), .. words], Client, _empty);

    /// <summary>The body of one request for a job.</summary>
    public static byte[] Body(string script, IReadOnlyList<GpuRequest>? gpus = null) => JsonSerializer.SerializeToUtf8Bytes(Job(script, gpus), ContractJson.Default.SubmitJob);

    public static SubmitJob Job(string script, IReadOnlyList<GpuRequest>? gpus = null, double? cpus = null) =>
        new(new("no-op", new(script), gpus, Cpus: cpus), "bench");

    /// <summary>Submits one job and reads the reply.</summary>
    public async Task<JobView> SubmitAsync(SubmitJob job)
    {
        using var reply = await _http.PostAsJsonAsync("api/v1/jobs", job, ContractJson.Default.SubmitJob);
        return (await Checked(reply).Content.ReadFromJsonAsync(ContractJson.Default.JobView))!;
    }

    /// <summary>The same from bytes, with the reply only checked: what a client must do at least.</summary>
    public async Task PostAsync(string path, byte[] body)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
        using var reply = await _http.PostAsync(new Uri(path, UriKind.Relative), content);
        Checked(reply);
    }

    public static byte[] Batch(int count, SubmitJob job) =>
        JsonSerializer.SerializeToUtf8Bytes(new SubmitJobs([.. Enumerable.Repeat(job, count)]), ContractJson.Default.SubmitJobs);

    public async Task<JobDetail> ShowAsync(long job) => (await _http.GetFromJsonAsync($"api/v1/jobs/{job}", ContractJson.Default.JobDetail))!;

    /// <summary>Waits until so many jobs wait and run, seldom enough that the asking costs nothing that counts.</summary>
    public Task UntilAsync(Func<ServerInfo, bool> isSo, string what) => Shell.UntilAsync(
        async () => isSo((await _http.GetFromJsonAsync("api/v1/info", ContractJson.Default.ServerInfo))!), what, pace: 50);

    /// <summary>Takes all devices, so that what comes after must wait.</summary>
    public async Task FillAsync()
    {
        for (var i = 0; i < _nodes; i++) await SubmitAsync(Job("sleep 3600", [new GpuRequest(4, "H100")]));
        await UntilAsync(i => i.Running == _nodes, "every node is taken");
    }

    public async ValueTask DisposeAsync()
    {
        if (!Directory.Exists(_data)) return;
        _process?.Kill();
        // What ran goes on without its daemon: here it is of no more use.
        for (var i = 0; i < 100 && Shell.ProcessesOf(_data) is { Count: > 0 } left; i++)
        {
            foreach (var pid in left)
            {
                try { Process.GetProcessById(pid).Kill(); }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException) { }
            }
            await Task.Delay(50);
        }
        _group.Dispose();
        _process?.Dispose();
        _http.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    /// <summary>Starts the daemon, and waits until it takes jobs and has all its nodes.</summary>
    public async Task LaunchAsync()
    {
        var (file, token) = (Path.Combine(_data, "server.json"), Path.Combine(_data, "token"));
        File.Delete(file);
        var words = _group.Join(
            Path.Combine(_options.Programs, "pucesd"), "--data", _data, "--gpus", "H100:4", "--nodes", $"{_nodes}", "--cpus", "16", "--memory", "64GB");
        var start = new ProcessStartInfo(words[0], words[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        var begun = Stopwatch.GetTimestamp();
        _process = Process.Start(start)!;
        var errors = new System.Text.StringBuilder();
        _process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        _process.OutputDataReceived += (_, line) => errors.AppendLine(line.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await Shell.UntilAsync(() => _process.HasExited ? throw new BenchException($"pucesd ended: {errors}") : Task.FromResult(File.Exists(file) && File.Exists(token)), "pucesd listens", pace: 2);
        using var server = JsonDocument.Parse(await File.ReadAllTextAsync(file));
        _http.Dispose();
        _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64, PooledConnectionIdleTimeout = TimeSpan.FromMinutes(10) })
        {
            BaseAddress = new(server.RootElement.GetProperty("url").GetString() + "/"),
            Timeout = TimeSpan.FromMinutes(2),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        await Shell.UntilAsync(async () =>
        {
            using var reply = await _http.GetAsync(new Uri("readyz", UriKind.Relative));
            return reply.IsSuccessStatusCode;
        }, "pucesd is ready", pace: 2);
        var ready = Stopwatch.GetElapsedTime(begun);
        await Shell.UntilAsync(async () =>
        {
            var pools = await _http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList);
            return pools!.Pools.Sum(p => p.Nodes.Count(n => n.IsUp)) == _nodes;
        }, "all nodes are up", pace: 2);
        StartTime = (ready, Stopwatch.GetElapsedTime(begun));
    }

    private async Task StopAsync()
    {
        if (_process is not { HasExited: false }) return;
        using (await _http.PostAsync(new Uri("api/v1/shutdown", UriKind.Relative), null)) { }
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    private static HttpResponseMessage Checked(HttpResponseMessage reply) =>
        reply.IsSuccessStatusCode ? reply : throw new BenchException($"pucesd answers {(int)reply.StatusCode}: {reply.Content.ReadAsStringAsync().GetAwaiter().GetResult()}");
}
