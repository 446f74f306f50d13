using Puces.Cli.Commands;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class TerminalTests
{
    [Fact]
    public void A_table_is_aligned_and_numbers_stand_right()
    {
        var table = new Table(new("ID", IsRight: true), new("NAME"), new("WHY"));
        table.Add(7, "a", "x");
        table.Add(1234, "longer", "");
        Assert.Equal("  ID  NAME    WHY\n   7  a       x\n1234  longer  \n", Written(table, ScreenKind.Plain));
    }

    [Fact]
    public void No_line_is_wider_than_the_terminal_and_the_widest_column_gives_first()
    {
        var table = new Table(new("ID", IsRight: true), new("NAME", Least: 4), new("WHY", Least: 4));
        table.Add(1, "short", new string('w', 100));
        foreach (var width in (int[])[80, 40, 20, 10, 5])
            Assert.All(Written(table, new(true, false, false), width).Split('\n'), line => Assert.True(line.Length <= width, line));
        Assert.StartsWith("ID  NAME   WHY", Written(table, new(true, false, false), 30), StringComparison.Ordinal);
        Assert.Contains(" 1  short  wwwwwwwwwwwwwwwww…", Written(table, new(true, false, false), 29), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cell_cannot_move_the_readers_cursor()
    {
        var table = new Table(new Column("NAME"));
        table.Add("a\e[2Jb\nc");
        Assert.Equal("NAME\na·[2Jb·c\n", Written(table, ScreenKind.Plain));
    }

    [Fact]
    public void Colour_is_for_terminals_only()
    {
        var table = new Table(new Column("S"));
        table.Add(new Cell("up", Tint.Green));
        Assert.DoesNotContain('\e', Written(table, ScreenKind.Plain));
        Assert.Contains("\e[32mup\e[0m", Written(table, new(true, true, true)), StringComparison.Ordinal);
    }

    [Fact]
    public void The_status_line_gives_way_to_results_and_comes_back()
    {
        using var output = new StringWriter();
        using var screen = new Screen(output, output, new(true, false, true), new(true, false, true), 40);
        screen.Status("waiting");
        screen.Line("a result");
        screen.Flush();
        screen.Status(null);
        Assert.Equal("waiting\r\e[2Ka result\nwaiting\r\e[2K", output.ToString());
    }

    [Fact]
    public void A_status_is_cut_to_one_line()
    {
        using var output = new StringWriter();
        using var screen = new Screen(output, output, new(true, false, true), new(true, false, true), 10);
        screen.Status("much longer than that");
        Assert.Equal("much lon…", output.ToString());
    }

    [Theory]
    [InlineData(0.44, "0.4 s")]
    [InlineData(59, "59 s")]
    [InlineData(185, "3 min 5 s")]
    [InlineData(7800, "2 h 10 min")]
    [InlineData(273600, "3 d 4 h")]
    public void A_duration_is_said_in_two_units_at_most(double seconds, string said) => Assert.Equal(said, Say.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(1, "1st")]
    [InlineData(2, "2nd")]
    [InlineData(3, "3rd")]
    [InlineData(11, "11th")]
    [InlineData(112, "112th")]
    [InlineData(103, "103rd")]
    public void Places_are_ordinals(int place, string said) => Assert.Equal(said, Say.Ordinal(place));

    [Theory]
    [InlineData(812, "812 B")]
    [InlineData(4200, "4.2 kB")]
    [InlineData(999_999, "1.0 MB")]
    [InlineData(80_000_000_000, "80 GB")]
    public void Sizes_have_two_or_three_digits(long bytes, string said) => Assert.Equal(said, Say.Bytes(bytes));

    [Fact]
    public void A_partial_line_is_finished_before_another_stream_speaks()
    {
        using var output = new StringWriter();
        using var screen = new Screen(output, output, ScreenKind.Plain, ScreenKind.Plain, 80);
        var printer = new LogPrinter(screen, new(IsJson: false, HasTimes: false, IsGang: true, Since: null));
        foreach (var line in (LogLine[])[Line(0, "10%", true), Line(0, " 20%", true), Line(1, "hello", false), Line(0, "30%", false)]) printer.Print(line);
        Assert.Equal("[0] 10% 20%\n[1] hello\n[0] 30%\n", output.ToString());

        static LogLine Line(int rank, string text, bool isPartial) => new(DateTimeOffset.UnixEpoch, 1, rank, "out", text, isPartial, "");
    }

    private static string Written(Table table, ScreenKind kind, int width = 80)
    {
        using var output = new StringWriter();
        using var screen = new Screen(output, TextWriter.Null, kind, ScreenKind.Plain, width);
        table.Write(screen);
        return output.ToString();
    }
}
