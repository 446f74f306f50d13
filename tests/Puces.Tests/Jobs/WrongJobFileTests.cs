using System.Text;
using Puces.Cli.JobFiles;
using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Jobs;

public sealed class WrongJobFileTests
{
    private const string Table = "tests/Puces.Tests/Jobs/wrong-job-files.txt";

    public static TheoryData<string> Titles => [.. Cases().Select(c => c.Title)];

    [Theory, MemberData(nameof(Titles))]
    public void A_wrong_job_file_gives_exactly_the_errors_in_the_table(string title)
    {
        var (_, yaml, errors) = Cases().Single(c => c.Title == title);
        Assert.Equal(errors, ErrorsOf(yaml));
    }

    [Fact]
    public void The_table_is_long_and_every_case_in_it_is_wrong()
    {
        if (Checkout.IsUpdating) Update();
        Assert.InRange(Cases().Count, 60, int.MaxValue);
        Assert.All(Cases(), c => Assert.NotEmpty(c.Errors));
    }

    internal static string ErrorsOf(string yaml) => string.Concat(Load(yaml).Errors.OrderBy(e => e.Line).ThenBy(e => e.Column).Select(Line));

    internal static LoadedJobFile Load(string text, string name = "puces.yaml", Overrides? overrides = null) =>
        JobFileReader.Parse(new(name, "/home/ada/train", text), overrides ?? Overrides.None);

    private static string Line(FieldError e) => $"{e.Line}:{e.Column}: {(e.Path.Length > 0 ? e.Path + ": " : "")}{e.Message}\n";

    private static List<(string Title, string Yaml, string Errors)> Cases() =>
        [.. Checkout.Read(Table).Split("=== ")[1..].Select(part =>
        {
            var title = part[..part.IndexOf('\n')];
            var halves = part[(title.Length + 1)..].Split("--->\n");
            return (title, halves[0], halves[1]);
        })];

    private static void Update()
    {
        var text = new StringBuilder(Checkout.Read(Table).Split("=== ")[0]);
        foreach (var (title, yaml, _) in Cases()) text.Append($"=== {title}\n{yaml}--->\n{ErrorsOf(yaml)}");
        Checkout.Write(Table, text.ToString());
    }
}
