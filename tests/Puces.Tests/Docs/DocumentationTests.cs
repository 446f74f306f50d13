using System.Text.RegularExpressions;
using Puces.Cli.Commands;
using Puces.Tests.Cli;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Docs;

public sealed partial class DocumentationTests : IDisposable
{
    private readonly Desk _desk = new();

    public static TheoryData<string, string> Commands => [.. DocumentedCommands.All().Select(c => (c.ToString(), string.Join('\n', c.Words)))];

    public static TheoryData<string> Pages => [.. DocumentedCommands.Pages];

    [GeneratedRegex(@"\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link { get; }

    [GeneratedRegex(@"`puces ([^`]+)`")]
    private static partial Regex Mention { get; }

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block { get; }

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading { get; }

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor { get; }

    [Theory, MemberData(nameof(Commands))]
    public void A_documented_command_is_one_that_puces_knows(string where, string words)
    {
        Assert.Equal("", Mistake(words.Split('\n')) is { } mistake ? $"{where}: {mistake}" : "");
    }

    [Theory, MemberData(nameof(Pages))]
    public void A_command_that_a_page_mentions_is_one_that_puces_knows(string page)
    {
        // In the text a command often stands without what it needs: only its words and options are looked up.
        foreach (Match mention in Mention.Matches(Block.Replace(Checkout.Read(page), "")))
        {
            var words = mention.Groups[1].Value.Split(' ').TakeWhile(w => w != "--").ToArray();
            var parsed = CommandTree.Build(Session(), CommandTree.JsonOption(), null).Parse(words);
            Assert.True(parsed.CommandResult.Command.Name == words[0] || parsed.CommandResult.Command.Aliases.Contains(words[0])
                || parsed.CommandResult.Command.Parents.Any(p => p.Name == words[0]), $"{page}: there is no command '{mention.Value}'");
            foreach (var option in words.Where(w => w.StartsWith('-')))
                Assert.True(parsed.CommandResult.Command.TreatUnmatchedTokensAsErrors is false || IsOption(parsed.CommandResult.Command, option),
                    $"{page}: {option} is no option in {mention.Value}");
        }
    }

    [Theory, MemberData(nameof(Pages))]
    public void A_link_leads_somewhere(string page)
    {
        foreach (var target in Link.Matches(Block.Replace(Checkout.Read(page), "")).Select(m => m.Groups[1].Value))
        {
            if (target.Contains("://", StringComparison.Ordinal)) continue;
            var parts = target.Split('#');
            var file = parts[0].Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, parts[0]);
            var full = Path.Combine(Checkout.Root, file);
            Assert.True(File.Exists(full) || Directory.Exists(full), $"{page} links to {target}, which is not there");
            if (parts.Length > 1) Assert.True(Anchors(file).Contains(parts[1]), $"{page} links to {target}; {file} has no such heading");
        }
    }

    [Fact]
    public void The_first_page_shows_the_first_command_and_links_to_every_other_page_for_people()
    {
        var readme = Checkout.Read("README.md");
        Assert.Contains(DocumentedCommands.Of("README.md", readme), c => c.Words is ["run", "examples/tiny-llm"]);
        Assert.All(DocumentedCommands.Pages.Where(p => p.StartsWith("docs/", StringComparison.Ordinal) && p.Count(c => c == '/') == 1), page =>
            Assert.Contains($"]({page})", readme, StringComparison.Ordinal));
    }

    [Fact]
    public void The_first_page_names_every_command()
    {
        var readme = Checkout.Read("README.md");
        Assert.All(CommandTree.Build(Session(), CommandTree.JsonOption(), null).Subcommands.Where(c => !c.Hidden), command =>
            Assert.Contains($"`puces {command.Name}", readme, StringComparison.Ordinal));
    }

    [Fact]
    public void A_decision_has_its_number_and_its_three_parts() => Assert.All(
        DocumentedCommands.Pages.Where(p => p.StartsWith("docs/decisions/", StringComparison.Ordinal)).Select((page, i) => (page, number: i + 1)), decision =>
        {
            Assert.StartsWith($"docs/decisions/{decision.number:0000}-", decision.page, StringComparison.Ordinal);
            var text = Checkout.Read(decision.page);
            Assert.StartsWith($"# {decision.number}. ", text, StringComparison.Ordinal);
            Assert.All((string[])["**Context.**", "**Decision.**", "**Consequences.**"], part => Assert.Contains(part, text, StringComparison.Ordinal));
        });

    [Theory]
    [InlineData("```sh\npuces ps --all  # all\n```", "ps|--all")]
    [InlineData("```sh\ncd x; A=1 ./puces run --env 'B=a b' -- sh -c \"echo; x\" < file\n```", "run|--env|B=a b|--|sh|-c|echo; x")]
    [InlineData("```sh\npuces run \\\n  --gpus H100:8 -- true\n```", "run|--gpus|H100:8|--|true")]
    [InlineData("```console\n$ puces ps | head\npuces answers\n```", "ps")]
    [InlineData("```yaml\npuces ps\n```\npuces ps", "")]
    public void Commands_are_read_as_a_shell_reads_them(string markdown, string words) =>
        Assert.Equal(words, string.Join(" && ", DocumentedCommands.Of("page", markdown).Select(c => string.Join('|', c.Words))));

    [Theory]
    [InlineData("run --nods 2 -- true")]
    [InlineData("cancle 1")]
    [InlineData("show")]
    [InlineData("version 2")]
    public void A_wrong_command_would_be_found(string line) => Assert.NotNull(Mistake(line.Split(' ')));

    public void Dispose() => _desk.Dispose();

    private Puces.Cli.Session Session() => _desk.Session(TextWriter.Null, TextWriter.Null);

    private string? Mistake(string[] words)
    {
        var dashes = words.TakeWhile(w => w != "--").Count();
        var behind = dashes < words.Length ? words.Skip(dashes + 1).ToList() : null;
        var parsed = CommandTree.Build(Session(), CommandTree.JsonOption(), behind).Parse([.. words.Take(dashes)]);
        return Puces.Cli.Program.FirstMistake(parsed);
    }

    private static bool IsOption(System.CommandLine.Command command, string option) =>
        option is "--json" or "--help" || command.Options.Any(o => o.Name == option || o.Aliases.Contains(option));

    /// <summary>Headings as GitHub makes anchors of them.</summary>
    private static HashSet<string> Anchors(string page) =>
        [.. Heading.Matches(Block.Replace(Checkout.Read(page), "")).Select(m => NotInAnchor.Replace(m.Groups[1].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-'))];
}
