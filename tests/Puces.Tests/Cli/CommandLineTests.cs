using System.CommandLine;
using System.Text.Json;
using Puces.Cli.Commands;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly Desk _desk = new() { Patience = TimeSpan.FromMilliseconds(200) };

    [Fact]
    public async Task Every_commands_help_has_an_example()
    {
        var root = CommandTree.Build(_desk.Session(TextWriter.Null, TextWriter.Null), CommandTree.JsonOption(), null);
        foreach (var path in Paths(root, []).ToList())
        {
            var help = await _desk.RunAsync([.. path, "--help"]);
            Assert.Equal(0, help.Code);
            Assert.True(help.Out.Contains($"Examples:\n  puces {string.Join(' ', path)}", StringComparison.Ordinal) || help.Out.Contains("Examples:\n  source", StringComparison.Ordinal), help.Out);
        }
    }

    [Theory]
    [InlineData("ps --nope", "--nope")]
    [InlineData("show", "job")]
    [InlineData("show --nope", "--nope")]
    [InlineData("ps --limit x", "--limit")]
    [InlineData("ps --state odd", "odd")]
    [InlineData("ps --limit 0", "at least 1")]
    [InlineData("nope", "nope")]
    [InlineData("cancle 1", "did you mean cancel?")]
    [InlineData("run --nods 2 -- true", "did you mean --nodes?")]
    [InlineData("version 2", "one word too many")]
    [InlineData("run", "no puces.yaml in this folder")]
    [InlineData("run --", "no command stands behind --")]
    [InlineData("run --gpus H100:x -- true", "--gpus")]
    [InlineData("run --env =1 -- true", "--env")]
    [InlineData("run missing.yaml", "missing.yaml")]
    [InlineData("pools set local", "nothing to set")]
    [InlineData("pools set local --detect --gpus H100:8", "--detect")]
    [InlineData("login nonsense", "nonsense")]
    [InlineData("completion tcsh", "tcsh")]
    [InlineData("logs 1 --since yesterday-ish", "yesterday-ish")]
    public async Task A_mistake_on_the_line_names_itself_and_ends_with_2(string line, string named)
    {
        var outcome = await _desk.RunAsync(line.Split(' '));
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith("error: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(named, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("\n  try: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("", outcome.Out);
    }

    [Fact]
    public async Task An_error_is_a_document_where_json_is_wanted()
    {
        _desk.Variables["PUCES_URL"] = "http://127.0.0.1:9";
        var outcome = await _desk.RunAsync("ps", "--json");
        Assert.Equal(1, outcome.Code);
        var line = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Contains("http://127.0.0.1:9", JsonDocument.Parse(line).RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_work_directory_is_never_the_whole_home()
    {
        _desk.Variables["HOME"] = _desk.Folder;
        var outcome = await _desk.RunAsync("run", "--", "true");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("--workdir none", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validate_shows_each_mistake_with_its_line()
    {
        _desk.Write("wrong.yaml", "name: a\nrun: true\ngpu: H100:8\n");
        var wrong = await _desk.RunAsync("validate", "wrong.yaml");
        Assert.Equal(1, wrong.Code);
        Assert.Contains("wrong.yaml:3:1", wrong.Error, StringComparison.Ordinal);
        var json = JsonDocument.Parse((await _desk.RunAsync("validate", "wrong.yaml", "--json")).Out).RootElement;
        Assert.False(json.GetProperty("isValid").GetBoolean());
        Assert.Contains(json.GetProperty("errors").EnumerateArray(), e => e.GetProperty("line").GetInt32() == 3);
        _desk.Write("right.yaml", "name: a\nrun: python x.py\ngpus: H100:8\n");
        Assert.Contains("right.yaml is in order", (await _desk.RunAsync("validate", "right.yaml")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_complete_to_commands_and_options()
    {
        var lines = (await _desk.RunAsync("__complete", "ca")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["cancel"], lines.Select(l => l.Split('\t')[0]));
        Assert.Contains("--gpus", (await _desk.RunAsync("__complete", "run", "--gp")).Out, StringComparison.Ordinal);
        Assert.Equal("", (await _desk.RunAsync("__complete", "run", "--", "--")).Out);
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public async Task Each_shell_has_a_completion_script(string shell) =>
        Assert.Contains("__complete", (await _desk.RunAsync("completion", shell)).Out, StringComparison.Ordinal);

    [Fact]
    public async Task Bash_completes_through_the_script()
    {
        const string Ask = """
            source <("$1" completion bash) || exit 1
            COMP_WORDS=("$1" sub); COMP_CWORD=1; _puces; echo "${COMPREPLY[@]}"
            COMP_WORDS=("$1" ps --sta); COMP_CWORD=2; _puces; echo "${COMPREPLY[@]}"
            """;
        using var bash = _desk.StartProgram("bash", "-c", Ask, "bash", Desk.CliPath);
        var output = await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal("submit\n--state\n", output);
    }

    public void Dispose() => _desk.Dispose();

    private static IEnumerable<string[]> Paths(Command command, string[] path)
    {
        foreach (var child in command.Subcommands)
        {
            string[] own = [.. path, child.Name];
            yield return own;
            foreach (var below in Paths(child, own)) yield return below;
        }
    }
}
