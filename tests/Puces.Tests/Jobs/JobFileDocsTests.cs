using System.Text.RegularExpressions;
using Puces.Cli.JobFiles;
using Puces.Core.Jobs;
using Xunit;

namespace Puces.Tests.Jobs;

public sealed partial class JobFileDocsTests
{
    private const string Page = "docs/job-file.md";
    private const string Schema = "docs/" + JobFileSchema.FileName;

    [GeneratedRegex(@"^```(yaml|yaml wrong)\n(.*?)^```\n(?:```text\n(.*?)^```)?", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Example { get; }

    public static TheoryData<string, string, string> Examples =>
        [.. Example.Matches(Checkout.Read(Page)).Select(m => (m.Groups[1].Value, m.Groups[2].Value, m.Groups[3].Value))];

    [Theory, MemberData(nameof(Examples))]
    public void An_example_in_the_documentation_is_right_or_gives_the_errors_shown(string kind, string yaml, string errors)
    {
        var loaded = WrongJobFileTests.Load(yaml);
        Assert.Equal(errors, JobFileErrors.Render(loaded.Source, loaded.Errors, colour: false));
        Assert.Equal(kind == "yaml", loaded.Spec is not null);
    }

    [Fact]
    public void The_documentation_has_examples_of_both_kinds() =>
        Assert.Equal(["yaml", "yaml wrong"], Examples.Select(e => e.Data.Item1).Distinct().Order());

    [Fact]
    public void Every_key_has_its_section_or_its_row()
    {
        var page = Checkout.Read(Page);
        Assert.All(JobFields.Top, field => Assert.Contains($"\n### {field.Key}\n", page));
        Assert.All(JobFields.All.Where(f => f.Section.Length > 0), field => Assert.Contains($"`{field.Key}`", page[page.IndexOf($"\n### {field.Section}\n")..]));
    }

    [Fact]
    public void Every_option_of_the_command_line_is_named_or_named_like_its_key() =>
        Assert.All(Overrides.Options, o => Assert.True(o.Name == "--" + o.Field.Key || Checkout.Read(Page).Contains($"`{o.Name}`"), o.Name));

    [Fact]
    public void The_example_of_every_key_is_right() => Assert.All(JobFields.All, field =>
    {
        var yaml = field.Section.Length == 0 ? field.Example : $"{field.Section}: {{{field.Example}}}";
        Assert.Empty(WrongJobFileTests.Load(field == JobFields.Run ? yaml : $"{yaml}\nrun: x\n").Errors);
    });

    [Fact]
    public void The_schema_is_the_one_made_from_the_keys()
    {
        if (Checkout.IsUpdating) Checkout.Write(Schema, JobFileCommand.Schema());
        Assert.True(Checkout.Read(Schema) == JobFileCommand.Schema(), $"{Schema} is out of date; run the tests once with UPDATE=1");
    }
}
