using System.Text.RegularExpressions;
using Puces.Server;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Docs;

/// <summary>What the pages tell people to type is typed, in the pages' order, and must end well.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed partial class DocumentedRunTests
{
    private static readonly string[] Checked =
    [
        "README.md", "docs/job-file.md", "docs/operate.md", "docs/projects.md", "docs/replay.md", "docs/packing.md", "docs/architecture.md", "src/Puces.Runner/README.md",
    ];

    /// <summary>Lines that need what a test does not have, with the reason.</summary>
    private static readonly Dictionary<string, string> NotRun = new(StringComparer.Ordinal)
    {
        ["./test"] = "it is what runs this test",
        ["sudo useradd --system --home-dir /var/lib/puces puces"] = "it makes a user of the machine, and needs root",
        ["sudo systemctl daemon-reload"] = "it needs systemd; the unit itself is tested below",
        ["sudo systemctl enable --now pucesd"] = "it needs systemd; the unit itself is tested below",
        ["journalctl -u pucesd"] = "it needs systemd",
        ["ssh -N -L 8723:127.0.0.1:8723 gpu-1"] = "it needs another machine",
        ["createuser --pwprompt puces"] = "it needs a database server of its own; the store's tests run on a real PostgreSQL",
        ["createdb --owner=puces puces"] = "it needs a database server of its own; the store's tests run on a real PostgreSQL",
        ["eng/packing.sh FOLDER"] = "it needs the traces, which are no part of the repository, and takes minutes",
        ["sacct -a -P -S 2026-01-01 -o JobID,Submit,Start,Elapsed,AllocTRES,ReqTRES,Account,User,State > slurm.txt"] = "it needs a Slurm with accounting",
        ["puces-runner attempt"] = "only an agent starts it; every job of these tests is run by one",
    };

    /// <summary>What is typed where the page leaves something open, or where the thing itself would take too long.</summary>
    private static readonly Dictionary<string, string> StandIns = new(StringComparer.Ordinal)
    {
        ["git clone URL-OF-THIS-REPOSITORY puces; cd puces"] = "git clone --quiet \"$REPOSITORY\" puces && cd puces",
        // The example's README names the variable; six thousand steps take minutes.
        ["./puces run examples/tiny-llm"] = "puces run examples/tiny-llm --env STEPS=2 --env NUGET_PACKAGES=$PACKAGES",
        ["puces run FILE"] = "puces run $WORK/job.yaml",
        ["puces run FOLDER"] = "puces run $WORK/folder",
        ["puces submit FILE"] = "puces submit $WORK/job.yaml",
        ["puces show JOB"] = "puces show $LONG",
        ["puces why JOB"] = "puces why $LONG",
        ["puces logs -f JOB"] = "puces logs -f $LONG",
        ["puces wait JOB"] = "puces wait $ENDED",
        ["puces cancel JOB"] = "puces cancel $LONG && { puces wait $LONG || [ $? = 143 ]; }",
        ["puces pack PODS --nodes-file NODES"] = "puces pack $WORK/pods.csv --nodes-file $WORK/nodes.csv",
        ["puces pack pods.csv.gz --nodes-file nodes.csv.gz --policy all"] = "puces pack $WORK/pods.csv --nodes-file $WORK/nodes.csv --policy all",
        ["puces validate FILE"] = "puces validate $WORK/job.yaml",
        ["puces replay"] = "puces replay --help",
        ["puces replay TRACE --nodes 16x8"] = "puces replay $WORK/jobs.csv --nodes 16x8",
        ["puces secret set NAME"] = "puces secret set HF_TOKEN",
        ["puces secret set"] = "puces secret set HF_TOKEN",
        ["puces login URL"] = "puces login $URL < $XDG_STATE_HOME/puces/token",
        ["puces completion SHELL"] = "puces completion bash",
        ["PUCES_BUILD=native ./puces version"] = "puces version",
        ["puces up --listen http://127.0.0.1:8723"] = "puces up --listen http://127.0.0.1:$PORT",
        ["curl --fail http://127.0.0.1:8723/readyz"] = "curl --fail --silent --show-error $URL/readyz",
        ["puces login https://puces.example.org"] = "puces login $URL < $XDG_STATE_HOME/puces/token",
        ["puces login http://127.0.0.1:8723"] = "puces login $URL < $XDG_STATE_HOME/puces/token",
        ["pucesd backup /backup/puces-2026-11-23.db --data /var/lib/puces"] = "pucesd backup $HOME/backup.db --data $XDG_STATE_HOME/puces",
        ["puces why 42"] = "puces why $ENDED",
        ["puces show 42"] = "puces show $ENDED",
        ["puces why"] = "puces why $ENDED",
        ["puces-runner agent"] = "puces-runner agent --root $HOME/node --blobs $HOME/blobs < /dev/null",
    };

    /// <summary>Lines that go on until Ctrl-C: what they say once they work, and their exit code then.</summary>
    private static readonly Dictionary<string, (string Sign, int Code)> Endless = new(StringComparer.Ordinal)
    {
        ["puces up"] = ("listens on http://", 0),
        ["puces up --listen http://127.0.0.1:8723"] = ("listens on http://", 0),
        ["puces feed -f"] = ("job ", 130),
        ["puces logs -f JOB"] = ("begun", 130),
    };

    public static TheoryData<string> Pages => [.. Checked];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [GeneratedRegex(@"^```ini\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Unit { get; }

    [GeneratedRegex(@"^ExecStart=/opt/puces/pucesd (.*)$", RegexOptions.Multiline)]
    private static partial Regex ExecStart { get; }

    [GeneratedRegex("^```\n(?<text>pucesd? |puces-runner )(?<rest>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Usage { get; }

    [GeneratedRegex("--[a-z]+")]
    private static partial Regex Option { get; }

    [Theory, MemberData(nameof(Pages))]
    public async Task Every_command_of_a_page_does_what_it_is_there_for(string page)
    {
        await using var shell = new DocumentedShell();
        // The pages speak of two nodes with eight H100: they are pretended here, as the first page shows, beside one for the long job.
        await shell.RunAsync("puces pools set local --gpus H100:8 --nodes 3 --cpus 16 --memory 64GB", Ct);
        shell.Set("ENDED", (await shell.RunAsync("puces submit --name ended --workdir none -- true", Ct)).Trim());
        shell.Set("LONG", (await shell.RunAsync("puces wait $ENDED > /dev/null; puces submit --name long --workdir none -- sh -c 'echo begun; sleep 600'", Ct)).Trim());
        foreach (var line in DocumentedLines.Of(page))
        {
            if (NotRun.ContainsKey(line.Text)) continue;
            var typed = StandIns.GetValueOrDefault(line.Text, line.Text);
            if (line.Text.StartsWith("puces up", StringComparison.Ordinal)) await shell.RunAsync("puces down", Ct);
            else await shell.RunAsync("puces ps > /dev/null", Ct);
            // A pool that jobs hold is not changed, as the page says: wait for them, or cancel them.
            if (line.Text.StartsWith("puces pools set", StringComparison.Ordinal)) await shell.RunAsync("puces cancel $LONG > /dev/null && { puces wait $LONG > /dev/null || [ $? = 143 ]; }", Ct);
            if (File.Exists(Path.Combine(shell.Data, "server.json"))) shell.Set("URL", shell.Url());
            if (Endless.TryGetValue(line.Text, out var end)) await shell.InterruptAsync(typed, end.Sign, end.Code, null, Ct);
            else await shell.RunAsync(typed, Ct, line.ToString());
        }
    }

    [Fact]
    public void Every_line_that_is_not_run_or_stood_in_for_still_stands_on_a_page()
    {
        var lines = Checked.SelectMany(DocumentedLines.Of).Select(l => l.Text).ToHashSet(StringComparer.Ordinal);
        Assert.All(NotRun.Keys.Concat(StandIns.Keys).Concat(Endless.Keys), text => Assert.Contains(text, lines));
        Assert.InRange(lines.Count, 40, int.MaxValue);
    }

    [Fact]
    public async Task The_unit_for_systemd_is_in_order_and_its_command_starts_a_daemon()
    {
        var unit = Unit.Match(Checkout.Read("docs/operate.md")).Groups[1].Value;
        var command = ExecStart.Match(unit);
        Assert.True(command.Success, unit);
        await using var shell = new DocumentedShell();
        var port = "127.0.0.1:0";
        var options = command.Groups[1].Value.Trim().Replace("/var/lib/puces", shell.Data, StringComparison.Ordinal).Replace("127.0.0.1:8723", port, StringComparison.Ordinal);
        ServerOptions.Parse(options.Split(' '), _ => null);
        await shell.InterruptAsync($"pucesd {options}", "listens on http://", 0, async () =>
        {
            using var http = new HttpClient();
            Assert.Equal("ok\n", await http.GetStringAsync(new Uri(shell.Url() + "/healthz"), Ct));
        }, Ct);
        if (!File.Exists("/usr/bin/systemd-analyze")) return;
        await File.WriteAllTextAsync(Path.Combine(shell.Home, "pucesd.service"), unit.Replace("/opt/puces/pucesd", Path.Combine(AppContext.BaseDirectory, "pucesd"), StringComparison.Ordinal), Ct);
        await shell.RunAsync("systemd-analyze verify \"$HOME/pucesd.service\"", Ct);
    }

    [Fact]
    public async Task What_the_pages_say_of_the_programs_options_is_what_they_take()
    {
        var daemon = Assert.Single(Usage.Matches(Checkout.Read("docs/operate.md")), m => m.Value.Contains("pucesd --data", StringComparison.Ordinal)).Value;
        Assert.Equal(Option.Matches(ServerOptions.Usage).Select(m => m.Value).Distinct().Order(StringComparer.Ordinal), Option.Matches(daemon).Select(m => m.Value).Distinct().Order(StringComparer.Ordinal));
        await using var shell = new DocumentedShell();
        foreach (var command in (string[])["agent --root $HOME/node --blobs $HOME/blobs < /dev/null", "devices", "version"])
        {
            Assert.Contains(command.Split(' ')[0], Checkout.Read("src/Puces.Runner/README.md"), StringComparison.Ordinal);
            await shell.RunAsync("puces-runner " + command, Ct);
        }
        Assert.Contains("pucesd ", await shell.RunAsync("pucesd version", Ct), StringComparison.Ordinal);
        Assert.Contains("--listen", await shell.RunAsync("pucesd --help", Ct), StringComparison.Ordinal);
    }
}
