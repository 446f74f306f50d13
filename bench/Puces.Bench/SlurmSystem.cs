using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Puces.Bench;

/// <summary>A real Slurm with its REST daemon, as <c>eng/slurm-local.sh</c> sets it up, in a control group with its commands.</summary>
internal sealed partial class SlurmSystem(string folder) : IAsyncDisposable
{
    private static readonly byte[] Held = Encoding.UTF8.GetBytes("""
        {"job": {"name": "no-op", "hold": true, "environment": {"PATH": "/usr/bin:/bin"}, "current_working_directory": "/tmp",
          "standard_output": "/dev/null", "standard_error": "/dev/null"}, "script": "#!/bin/sh\ntrue\n"}
        """);

    private readonly string _script = Path.Combine(Options.Checkout(), "eng", "slurm-local.sh");
    private readonly CpuGroup _group = new("slurm");
    private readonly Dictionary<string, string> _variables = new() { ["REST"] = "1" };
    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(2) };
    private string _rest = "";
    private bool _isUp, _hasJobs;

    /// <summary>Milliseconds of all daemons, steps, jobs, and the commands that <see cref="RunAsync"/> calls.</summary>
    public double Cpu => _group.Used;

    public string Config => Path.Combine(folder, "etc", "slurm.conf");

    /// <summary>A folder that all of it sees.</summary>
    public string Shared => Path.Combine(folder, "puces");

    /// <summary>Starts it, or begins again where jobs may be left.</summary>
    public async Task EmptyAsync()
    {
        if (_isUp && !_hasJobs) return;
        await DownAsync();
        await RunAsync([_script, "up", folder]);
        foreach (Match match in Export().Matches(await Shell.RunAsync([_script, "env", folder], _variables)))
            _variables[match.Groups[1].Value] = match.Groups[2].Value;
        _rest = _variables["SLURM_REST_URL"];
        var token = (await Shell.RunAsync([_script, "token", folder], _variables)).Trim();
        _http.DefaultRequestHeaders.Clear();
        _http.DefaultRequestHeaders.Add("X-SLURM-USER-NAME", "root");
        _http.DefaultRequestHeaders.Add("X-SLURM-USER-TOKEN", token);
        (_isUp, _hasJobs) = (true, false);
    }

    public Task<string> RunAsync(params IEnumerable<string> command) => Shell.RunAsync(_group.Join(command), _variables);

    public Task<IReadOnlyList<double>> TimeAsync(int calls, params IReadOnlyList<string> command) => Shell.TimeAsync(calls, command, _variables);

    /// <summary>Submits a script; the words go before it.</summary>
    public Task<string> SubmitAsync(string script, params IEnumerable<string> words)
    {
        _hasJobs = true;
        return RunAsync(["sbatch", "--parsable", "-o", "/dev/null", .. words, "--wrap", script]);
    }

    /// <summary>Submits a held job over REST.</summary>
    public async Task PostAsync()
    {
        _hasJobs = true;
        using var content = new ByteArrayContent(Held) { Headers = { ContentType = new("application/json") } };
        using var reply = await _http.PostAsync(new Uri(_rest + "/job/submit"), content);
        var text = await reply.Content.ReadAsStringAsync();
        if (!reply.IsSuccessStatusCode || !text.Contains("\"job_id\"", StringComparison.Ordinal)) throw new BenchException("slurmrestd: " + text);
    }

    /// <summary>Jobs that have ended since the start: the lines of Slurm's completion log, which costs it nothing to read.</summary>
    public int Ended()
    {
        var log = Path.Combine(folder, "log", "jobcomp.log");
        return File.Exists(log) ? File.ReadLines(log).Count() : 0;
    }

    public Task UntilEndedAsync(int count) => Shell.UntilAsync(() => Task.FromResult(Ended() >= count), $"{count} jobs of Slurm's have ended", pace: 50);

    public Task UntilIdleAsync() => Shell.UntilAsync(async () => (await Shell.RunAsync(["squeue", "-h", "-o", "%i"], _variables)).Trim().Length == 0, "Slurm is idle", pace: 50);

    public int PidOf(string daemon) => int.Parse(File.ReadAllText(Path.Combine(folder, "run", daemon + ".pid")).AsSpan().Trim(), CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await DownAsync();
        _group.Dispose();
    }

    private async Task DownAsync()
    {
        if (!Directory.Exists(folder)) return;
        await Shell.RunAsync([_script, "down", folder], _variables);
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex("export ([A-Z_]+)=(.*)")]
    private static partial Regex Export();
}
