namespace Puces.Cli.Terminal;

/// <summary>A column of a table.</summary>
/// <param name="IsRight">Numbers: aligned to the right.</param>
/// <param name="Least">The narrowest that it may become where the terminal is too narrow; zero keeps it whole.</param>
internal readonly record struct Column(string Title, bool IsRight = false, int Least = 0);

/// <summary>A cell's text with its colour.</summary>
internal readonly record struct Cell(string Text, Tint Tint = Tint.None)
{
    public static implicit operator Cell(string? text) => new(text ?? "");
    public static implicit operator Cell(long number) => new(number.ToString(System.Globalization.CultureInfo.InvariantCulture));
}

/// <summary>Rows under titles, aligned and fitted to the terminal: a cell that is too long is cut, a line never wraps.</summary>
internal sealed class Table(params Column[] columns)
{
    private const int Gap = 2;
    private static readonly string Blank = new(' ', 64);
    private readonly List<Cell[]> _rows = [];

    public void Add(params Cell[] cells)
    {
        foreach (ref var cell in cells.AsSpan()) cell = Clean(cell);
        _rows.Add(cells);
    }

    public void Write(Screen screen)
    {
        var widths = Fit(screen.Width);
        var titles = columns.Select(c => new Cell(c.Title, Tint.Dim)).ToArray();
        WriteRow(screen, titles, widths);
        foreach (var row in _rows) WriteRow(screen, row, widths);
    }

    private int[] Fit(int width)
    {
        var widths = columns.Select(c => c.Title.Length).ToArray();
        foreach (var row in _rows)
            for (var i = 0; i < widths.Length; i++) widths[i] = Math.Max(widths[i], row[i].Text.Length);
        var spare = width == int.MaxValue ? 0 : width - widths.Sum() - Gap * (widths.Length - 1);
        // Take from the widest column that may still give, one at a time: the narrow ones stay readable longest.
        for (; spare < 0; spare++)
        {
            var widest = -1;
            for (var i = 0; i < widths.Length; i++)
                if (columns[i].Least > 0 && widths[i] > columns[i].Least && (widest < 0 || widths[i] > widths[widest])) widest = i;
            if (widest < 0) break;
            widths[widest]--;
        }
        return widths;
    }

    private void WriteRow(Screen screen, Cell[] cells, int[] widths)
    {
        var output = screen.Out;
        var left = screen.Width;
        for (var i = 0; i < cells.Length; i++)
        {
            var room = Math.Min(widths[i], left);
            var text = Cut(cells[i].Text, room);
            var padding = room - text.Length;
            if (columns[i].IsRight) Spaces(output, padding);
            output.Write(screen.Paint(text, cells[i].Tint));
            left -= room;
            if (i == cells.Length - 1 || left <= Gap) break;
            Spaces(output, (columns[i].IsRight ? 0 : padding) + Gap);
            left -= Gap;
        }
        output.Write('\n');
    }

    private static string Cut(string text, int width) =>
        text.Length <= width ? text : width <= 1 ? text[..width] : string.Concat(text.AsSpan(0, width - 1), "…");

    private static void Spaces(TextWriter output, int count)
    {
        for (; count > 0; count -= Blank.Length) output.Write(Blank.AsSpan(0, Math.Min(count, Blank.Length)));
    }

    // A name or a reason must not move the cursor of whoever reads it.
    private static Cell Clean(Cell cell)
    {
        foreach (var c in cell.Text)
            if (char.IsControl(c)) return cell with
            {
                Text = string.Create(cell.Text.Length, cell.Text, static (span, text) =>
            {
                for (var i = 0; i < span.Length; i++) span[i] = char.IsControl(text[i]) ? '·' : text[i];
            })
            };
        return cell;
    }
}
