using System.Diagnostics;
using System.Text.Json;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Cli;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class LocalDaemonTests : IDisposable
{
    private readonly Desk _desk = new() { Patience = TimeSpan.FromSeconds(30) };

    public LocalDaemonTests() => _desk.Variables["PUCES_DAEMON"] = Desk.FakeDaemonPath;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_command_starts_the_daemon_and_down_stops_it()
    {
        var first = await _desk.RunAsync("ps");
        Assert.Equal(0, first.Code);
        Assert.Contains("started pucesd (http://127.0.0.1:", first.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("started", (await _desk.RunAsync("ps")).Error, StringComparison.Ordinal);
        var pid = Pid();
        Assert.Contains("pucesd has stopped", (await _desk.RunAsync("down")).Out, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(pid));
        Assert.Contains("does not run", (await _desk.RunAsync("down")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Down_is_content_where_nothing_was_ever_started() =>
        Assert.Contains("does not run", (await _desk.RunAsync("down")).Out, StringComparison.Ordinal);

    [Fact]
    public async Task A_daemon_that_was_killed_is_started_again()
    {
        await _desk.RunAsync("ps");
        var pid = Pid();
        using (var process = Process.GetProcessById(pid))
        {
            process.Kill();
            await process.WaitForExitAsync(Stop);
        }
        Assert.Equal(0, (await _desk.RunAsync("ps")).Code);
        Assert.NotEqual(pid, Pid());
    }

    [Fact]
    public async Task Commands_at_once_start_one_daemon()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => _desk.RunAsync("ps"))));
        Assert.All(all, o => Assert.Equal(0, o.Code));
        Assert.Single(all, o => o.Error.Contains("started pucesd", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_daemon_that_cannot_start_shows_the_end_of_its_log()
    {
        Directory.CreateDirectory(_desk.State);
        File.WriteAllText(Path.Combine(_desk.State, "fail"), "");
        var outcome = await _desk.RunAsync("ps");
        Assert.Equal(1, outcome.Code);
        Assert.Contains("pucesd stopped at once with exit code 3", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("  | the store is from a newer version", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Doctor_starts_nothing()
    {
        var outcome = await _desk.RunAsync("doctor", "--json");
        var checks = JsonDocument.Parse(outcome.Out).RootElement.GetProperty("checks").EnumerateArray().Select(c => c.GetProperty("text").GetString());
        Assert.Contains("none is configured and the local daemon does not run: the first command starts it", checks);
        Assert.False(File.Exists(Path.Combine(_desk.State, "server.json")));
    }

    [Fact]
    public async Task Ctrl_c_leaves_the_job_running_and_says_how_to_come_back()
    {
        using var run = _desk.Start("run", "--workdir", "none", "-e", "LINES=1000000", "-e", "EVERY=20", "--", "train");
        Assert.Equal("line 1", await run.StandardOutput.ReadLineAsync(Stop));
        using (var kill = Process.Start("kill", ["-INT", run.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(Stop);
        await run.WaitForExitAsync(Stop);
        var said = await run.StandardError.ReadToEndAsync(Stop);
        Assert.Equal(130, run.ExitCode);
        Assert.Contains("detached: job 1 goes on\n  puces logs -f 1   to follow it again\n  puces cancel 1    to end it\n", said, StringComparison.Ordinal);
        Assert.Contains("running", (await _desk.RunAsync("ps")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_the_command()
    {
        await _desk.RunAsync("submit", "--workdir", "none", "-e", "LINES=100000", "-e", "EVERY=1", "--", "train");
        using var piped = _desk.StartProgram("sh", "-c", "\"$0\" logs -f 1 | head -n 2", Desk.CliPath);
        var output = await piped.StandardOutput.ReadToEndAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal("line 1\nline 2\n", output);
    }

    [Fact]
    public async Task A_login_is_tried_kept_for_its_owner_only_and_forgotten()
    {
        var world = new FakeWorld { Token = "team" };
        await using var daemon = new FakeDaemon(world);
        await daemon.StartAsync(0, Stop);
        _desk.Typed = "wrong\n";
        Assert.Equal(1, (await _desk.RunAsync("login", daemon.Url)).Code);
        _desk.Typed = "team\n";
        Assert.Equal(0, (await _desk.RunAsync("login", daemon.Url)).Code);
        var path = Path.Combine(_desk.Home, ".config/puces/config.json");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal($"{daemon.Url}/?token=team\n", (await _desk.RunAsync("dashboard")).Out);
        Assert.Equal(0, (await _desk.RunAsync("logout")).Code);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task PUCES_URL_wins_over_the_login_and_PUCES_TOKEN_over_its_token()
    {
        var world = new FakeWorld { Token = "other" };
        await using var daemon = new FakeDaemon(world);
        await daemon.StartAsync(0, Stop);
        Directory.CreateDirectory(Path.Combine(_desk.Home, ".config/puces"));
        File.WriteAllText(Path.Combine(_desk.Home, ".config/puces/config.json"), """{"url":"http://127.0.0.1:9","token":"team"}""");
        _desk.Use(daemon, world.Token);
        Assert.Equal(0, (await _desk.RunAsync("ps")).Code);
    }

    public void Dispose()
    {
        if (File.Exists(Path.Combine(_desk.State, "server.json")))
        {
            try
            {
                using var process = Process.GetProcessById(Pid());
                process.Kill();
                process.WaitForExit();
            }
            catch (ArgumentException)
            {
                // Gone already.
            }
        }
        _desk.Dispose();
    }

    private int Pid() => JsonDocument.Parse(File.ReadAllText(Path.Combine(_desk.State, "server.json"))).RootElement.GetProperty("pid").GetInt32();
}
