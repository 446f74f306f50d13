using Puces.Testing;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class RunTests : IAsyncLifetime
{
    private readonly Desk _desk = new();
    private readonly FakeWorld _world = new();
    private FakeDaemon _daemon = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _daemon = new(_world);
        await _daemon.StartAsync(0, Stop);
        _desk.Use(_daemon, _world.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        _desk.Dispose();
    }

    [Fact]
    public async Task Run_shows_the_wait_prints_the_log_and_ends_with_the_jobs_code()
    {
        _world.OnSubmit = job => Later(async () =>
        {
            job.Start();
            job.Print("hello");
            job.Print("oops", "err");
            await Task.Delay(20, Stop);
            job.End(3);
        });
        var ran = await _desk.RunAsync("run", "--", "python", "train.py");
        Assert.Equal(3, ran.Code);
        Assert.Equal("hello\n", ran.Out);
        Assert.Contains("job 1 · waiting · needs H100:8; gra-1 has the most free, 3\n", ran.Error, StringComparison.Ordinal);
        Assert.Contains("oops\n", ran.Error, StringComparison.Ordinal);
        Assert.Contains("job 1 · failed · exit code 3 · ran 0.", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_reply_does_not_make_a_second_job()
    {
        _world.LoseNextReply();
        var ran = await _desk.RunAsync("submit", "--", "true");
        Assert.Equal((0, "1\n"), (ran.Code, ran.Out));
        Assert.Single(_world.Jobs);
    }

    [Fact]
    public async Task A_daemon_that_says_503_is_asked_again()
    {
        _world.Unavailable = 3;
        Assert.Equal(0, (await _desk.RunAsync("submit", "--", "true")).Code);
    }

    [Fact]
    public async Task No_line_is_lost_or_doubled_when_streams_break_and_the_daemon_restarts()
    {
        _world.CutsLogsAfter = 7;
        var port = new Uri(_daemon.Url).Port;
        _world.OnSubmit = job => Later(async () =>
        {
            job.Start();
            for (var i = 1; i <= 60; i++)
            {
                job.Print($"line {i}");
                await Task.Delay(5, Stop);
                if (i != 30) continue;
                await _daemon.StopAsync(Stop);
                await _daemon.StartAsync(port, Stop);
            }
            job.End(0);
        });
        var ran = await _desk.RunAsync("run", "--", "true");
        Assert.Equal(0, ran.Code);
        Assert.Equal(Enumerable.Range(1, 60).Select(i => $"line {i}"), ran.Out.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task A_refusal_is_not_tried_again_and_says_what_to_do()
    {
        _desk.Variables["PUCES_TOKEN"] = "wrong";
        var ran = await _desk.RunAsync("ps");
        Assert.Equal(1, ran.Code);
        Assert.Equal($"error: the token is not known\n  try: puces login {_daemon.Url}, or set PUCES_TOKEN\n", ran.Error);
        Assert.Single(_world.Requests);
    }

    [Fact]
    public async Task A_job_is_found_by_its_name_and_the_newest_is_meant()
    {
        foreach (var _ in (int[])[1, 2]) await _desk.RunAsync("submit", "--name", "big", "--", "true");
        Assert.Contains("job 2 · cancelled", (await _desk.RunAsync("cancel", "big")).Out, StringComparison.Ordinal);
        var missing = await _desk.RunAsync("show", "small");
        Assert.Equal((1, "error: there is no job named 'small'\n  try: puces ps -a, to see what there is\n"), (missing.Code, missing.Error));
    }

    [Fact]
    public async Task Wait_ends_with_the_first_code_that_is_not_0()
    {
        foreach (var _ in (int[])[1, 2, 3]) await _desk.RunAsync("submit", "--", "true");
        foreach (var job in _world.Jobs) Later(() =>
        {
            job.Start();
            job.End(job.View.Id == 2 ? 7 : 0);
            return Task.CompletedTask;
        });
        Assert.Equal(7, (await _desk.RunAsync("wait", "1", "2", "3")).Code);
    }

    [Fact]
    public async Task A_secret_comes_from_standard_input_and_never_from_the_line()
    {
        _desk.Typed = "s3cret\n";
        Assert.Equal(0, (await _desk.RunAsync("secret", "set", "HF_TOKEN")).Code);
        Assert.Equal("s3cret", _world.Secrets["HF_TOKEN"]);
        Assert.Equal(2, (await _desk.RunAsync("secret", "set", "HF_TOKEN", "s3cret")).Code);
        Assert.Contains("HF_TOKEN", (await _desk.RunAsync("secret", "ls")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_file_may_be_a_folder_and_the_line_wins_over_it()
    {
        _desk.Write("example/puces.yaml", "name: tiny\nnodes: 1\nrun: python train.py\n");
        Assert.Equal(0, (await _desk.RunAsync("submit", "example", "--nodes", "2", "-e", "A=1")).Code);
        var spec = _world.Jobs.Single().Spec;
        Assert.Equal(("tiny", 2, "1"), (spec.Name, spec.Nodes, spec.Env!["A"]));
    }

    [Fact]
    public async Task Ps_lists_jobs_for_people_and_for_programs()
    {
        await _desk.RunAsync("submit", "--name", "one", "--", "true");
        var table = await _desk.RunAsync("ps");
        Assert.Contains(" 1  one   ann    waiting 1  1 CPU", table.Out, StringComparison.Ordinal);
        using var json = System.Text.Json.JsonDocument.Parse((await _desk.RunAsync("queue", "--json")).Out);
        Assert.Equal(1, json.RootElement.GetProperty("jobs")[0].GetProperty("id").GetInt64());
    }

    private static void Later(Func<Task> act) => _ = Task.Run(async () =>
    {
        await Task.Delay(30, Stop);
        await act();
    });
}
