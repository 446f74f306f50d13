namespace Puces.Cli.Terminal;

/// <summary>Standard input: lines from a pipe, or a secret typed unseen.</summary>
/// <param name="input">What is read where no person types; opened only then, for the console changes the terminal's mode.</param>
/// <param name="isTerminal">A person types.</param>
internal sealed class Keyboard(Func<TextReader> input, bool isTerminal)
{
    public static Keyboard OfProcess() => new(() => Console.In, !Console.IsInputRedirected);

    public bool IsTerminal => isTerminal;

    /// <summary>The whole of a piped secret without its last line feed, or one typed line that is not shown; null where there is none.</summary>
    public string? ReadSecret(Screen screen, string prompt)
    {
        if (!isTerminal) return input().ReadToEnd() is { Length: > 0 } text ? WithoutLineFeed(text) : null;
        screen.Status(null);
        var line = new List<char>();
        screen.Raw(prompt, toError: true, endsLine: false);
        screen.Flush();
        while (true)
        {
            var key = Console.ReadKey(intercept: true);
            if (key.Key is ConsoleKey.Enter || key is { Key: ConsoleKey.D, Modifiers: ConsoleModifiers.Control }) break;
            if (key.Key is ConsoleKey.Backspace)
            {
                if (line.Count > 0) line.RemoveAt(line.Count - 1);
            }
            else if (!char.IsControl(key.KeyChar)) line.Add(key.KeyChar);
        }
        screen.Raw("", toError: true, endsLine: true);
        screen.Flush();
        return line.Count > 0 ? new([.. line]) : null;
    }

    private static string WithoutLineFeed(string text) =>
        text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
}
