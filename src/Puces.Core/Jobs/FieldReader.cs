using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Queues;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>A place in a job file, written out only where an error names it: <c>gpus[1].vram</c>, <c>env.SEED</c>, <c>secrets[0]</c>.</summary>
/// <param name="Alternative">Which of several <c>gpus</c>.</param>
internal readonly record struct Place(JobField Field, int Index = -1, string? Key = null, int Alternative = -1)
{
    public static implicit operator Place(JobField field) => new(field);

    public override string ToString()
    {
        var text = Alternative < 0 ? Field.Path
            : Field.Section.Length == 0 ? string.Create(CultureInfo.InvariantCulture, $"{Field.Path}[{Alternative}]")
            : string.Create(CultureInfo.InvariantCulture, $"{Field.Section}[{Alternative}].{Field.Key}");
        if (Index >= 0) text += string.Create(CultureInfo.InvariantCulture, $"[{Index}]");
        if (Key is null) return text;
        return Key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? $"{text}.{Show.Plain(Key)}" : $"{text}[{Show.Quoted(Key)}]";
    }
}

/// <summary>Reads single values out of nodes. What is wrong goes to <see cref="Errors"/>, and null comes back.</summary>
internal sealed class FieldReader
{
    private const int MostErrors = 100;
    private static readonly TimeSpan LongestDuration = TimeSpan.FromDays(3650);
    private static readonly Memory MostMemory = new(1L << 50);

    public List<FieldError> Errors { get; } = [];

    public void Fault(SpecMark mark, string path, string message)
    {
        if (Errors.Count < MostErrors) Errors.Add(new(mark.Option ?? path, message, mark.Line, mark.Column));
    }

    public void Fault(SpecNode node, Place place, string message) => Fault(node.Mark, place.ToString(), message);

    /// <summary>The known keys of a mapping with their values, each once; what is not known is reported. Nulls count as left out.</summary>
    public IEnumerable<(JobField Field, SpecNode Value)> Fields(SpecNode.Mapping mapping, string section, IReadOnlyList<JobField> known)
    {
        var seen = 0UL;
        foreach (var entry in mapping.Entries)
        {
            var index = 0;
            while (index < known.Count && known[index].Key != entry.Key) index++;
            if (index == known.Count)
            {
                if (section.Length > 0 || !IsIgnored(entry.Key)) Unknown(entry, section, known);
                continue;
            }
            if ((seen & (1UL << index)) != 0) Repeated(mapping, entry, known[index].Path);
            else if (entry.Value is not SpecNode.Null || known[index] == JobFields.Workdir) yield return (known[index], entry.Value);
            seen |= 1UL << index;
        }
    }

    // Places for anchors, and where editors look for the schema.
    private static bool IsIgnored(string key) => key == "$schema" || key.StartsWith("x-", StringComparison.Ordinal);

    private void Unknown(SpecEntry entry, string section, IReadOnlyList<JobField> known)
    {
        var right = Nearest.Key(entry.Key, known) is { } near ? $"did you mean '{near}'?" : $"the keys are {string.Join(", ", known.Select(f => f.Key))}";
        Fault(entry.Mark, section, $"unknown key {Show.Quoted(entry.Key)}; {right}");
    }

    public void Repeated(SpecNode.Mapping mapping, SpecEntry entry, string path)
    {
        var line = mapping.Entries.First(e => e.Key == entry.Key).Mark.Line;
        var first = line > 0 ? string.Create(CultureInfo.InvariantCulture, $" (first on line {line})") : "";
        Fault(entry.Mark, path, $"stands here twice{first}; keep one");
    }

    /// <summary>The text of a scalar; anything else is reported as the wrong kind.</summary>
    public string? Text(SpecNode node, Place place)
    {
        switch (node)
        {
            case SpecNode.Scalar { Text: var text }:
                if (CanBeGiven(text)) return text;
                Fault(node, place, "holds a character that no program can be given (NUL, or half of a pair); take it out");
                return null;
            case SpecNode.Null:
                Fault(node, place, $"is empty; write {place.Field.Example}");
                return null;
            default:
                WrongKind(node, place);
                return null;
        }
    }

    /// <summary>It can be an argument or a variable of a program, and be written as UTF-8.</summary>
    public static bool CanBeGiven(string text)
    {
        if (text.Contains('\0')) return false;
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0) return true;
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return false;
            i++;
        }
        return true;
    }

    public void WrongKind(SpecNode node, Place place)
    {
        var kind = node switch { SpecNode.Mapping => "a mapping", SpecNode.Sequence => "a list", SpecNode.Null => "nothing", _ => "a single value" };
        var form = place.Index >= 0 || place.Key is not null ? "a single value" : place.Field.Form;
        Fault(node, place, $"takes {form}, not {kind}; write {place.Field.Example}");
    }

    /// <summary>A text with something in it.</summary>
    public string? Filled(SpecNode node, Place place)
    {
        var text = Text(node, place);
        if (text is null || !string.IsNullOrWhiteSpace(text)) return text;
        Fault(node, place, $"is empty; write {place.Field.Example}" + (place.Field == JobFields.Run ? "" : $", or leave {place.Field.Key} out"));
        return null;
    }

    /// <summary>A name for jobs, projects, pools: what is safe in a file name, a URL and a shell.</summary>
    public string? Name(SpecNode node, Place place) => Name(node, place, isPath: false);

    /// <summary>The name of a project: names with <c>/</c> between.</summary>
    public string? Project(SpecNode node, Place place) => Name(node, place, isPath: true);

    private string? Name(SpecNode node, Place place, bool isPath)
    {
        if (Filled(node, place) is not { } text) return null;
        if (text.Length > JobFields.LongestName)
        {
            Fault(node, place, string.Create(CultureInfo.InvariantCulture, $"has {text.Length} characters; write at most {JobFields.LongestName}"));
            return null;
        }
        if (isPath ? ProjectName.Fits(text) : JobName.Fits(text)) return text;
        var fitting = isPath ? ProjectName.FittingTo(text) : JobName.FittingTo(text);
        Fault(node, place, $"{Show.Quoted(text)} has other characters than letters, digits, '.', '_' and '-', or does not start with a letter or digit"
            + (fitting.Length > 0 ? $"; write {fitting}" : ""));
        return null;
    }

    public int? Whole(SpecNode node, Place place, int least, int most)
    {
        if (Text(node, place) is not { } text) return null;
        var isNumber = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
        if (isNumber && number >= least && number <= most) return (int)number;
        if (!isNumber && !IsWhole(text))
        {
            Fault(node, place, $"{Show.Quoted(text)} is not a whole number; write {place.Field.Example}");
            return null;
        }
        var isSmall = isNumber ? number < least : text[0] == '-';
        Fault(node, place, string.Create(CultureInfo.InvariantCulture,
            $"{Show.Plain(text)} is too {(isSmall ? "small" : "large")}; write a whole number from {least} to {most}"));
        return null;
    }

    private static bool IsWhole(string text) => text.AsSpan(text.Length > 0 && text[0] is '-' or '+' ? 1 : 0) is { IsEmpty: false } digits
        && digits.IndexOfAnyExceptInRange('0', '9') < 0;

    // Enough for any number, and never slow.
    private static ReadOnlySpan<char> Short(string text) => text.Length > 40 ? "" : text;

    public double? Number(SpecNode node, Place place, double least, double most)
    {
        if (Text(node, place) is not { } text) return null;
        if (TryNumber(text, out var number) && number >= least && number <= most) return number;
        Fault(node, place, TryNumber(text, out _)
            ? string.Create(CultureInfo.InvariantCulture, $"{Show.Plain(text)} is too {(number < least ? "small" : "large")}; write a number from {least} to {most}")
            : $"{Show.Quoted(text)} is not a number; write {place.Field.Example}");
        return null;
    }

    public static bool TryNumber(string text, out double number)
    {
        const NumberStyles Styles = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign | NumberStyles.AllowExponent;
        return double.TryParse(Short(text), Styles, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
    }

    /// <summary>A duration; zero only where <paramref name="orZero"/>.</summary>
    public TimeSpan? Duration(SpecNode node, Place place, bool orZero = false)
    {
        if (Text(node, place) is not { } text) return null;
        if (Durations.TryParse(text, out var duration))
        {
            if (duration <= LongestDuration && (orZero || duration > TimeSpan.Zero)) return duration;
            Fault(node, place, duration > LongestDuration
                ? $"{Show.Plain(text)} is longer than ten years; write {place.Field.Example}"
                : $"must be longer than nothing; write {place.Field.Example}");
            return null;
        }
        Fault(node, place, DurationFault(text, place.Field));
        return null;
    }

    private static string DurationFault(string text, JobField field)
    {
        var shown = text.Trim();
        if (shown.StartsWith('-')) return $"{Show.Plain(shown)} is negative; write {field.Example}";
        if (TryNumber(shown, out _)) return $"{Show.Plain(shown)} has no unit; write {shown}s, {shown}m or {shown}h";
        if (shown.Length < 6 && shown.Split(':') is [var a, var b] && a.All(char.IsAsciiDigit) && b.All(char.IsAsciiDigit) && a.Length > 0 && b.Length > 0)
            return $"{shown} may be hours or minutes; write {a}h{b}m or {a}m{b}s";
        return Durations.Guess(shown) is { } guess
            ? $"{Show.Quoted(shown)} is not a duration; write {guess}"
            : $"{Show.Quoted(shown)} is not a duration; write it like 90s, 30m, 1h30m, 2d or 01:30:00";
    }

    public Memory? Amount(SpecNode node, Place place) => Text(node, place) is { } text ? Amount(text, node, place) : null;

    public Memory? Amount(string text, SpecNode node, Place place)
    {
        if (Memory.TryParse(text, out var memory) && memory <= MostMemory) return memory;
        Fault(node, place, AmountFault(text.Trim(), place.Field));
        return null;
    }

    private static string AmountFault(string text, JobField field)
    {
        if (text.StartsWith('-')) return $"{Show.Plain(text)} is negative; write {field.Example}";
        if (Memory.TryParse(text, out _)) return $"{Show.Plain(text)} is more than any node has; write {field.Example}";
        var end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.')) end++;
        var number = text[..end];
        if (end is 0 or > 12 || !TryNumber(number, out var value)) return $"{Show.Quoted(text)} is not an amount of memory; write it like 80GB or 64GiB";
        if (value == 0) return $"{Show.Plain(text)} is nothing; write {field.Example}, or leave {field.Key} out";
        var unit = text[end..].Trim();
        if (unit.Length == 0) return $"{number} has no unit; write {number}GB or {number}GiB";
        var letter = char.ToUpperInvariant(unit[0]);
        if (letter is not ('K' or 'M' or 'G' or 'T')) letter = 'G';
        return unit.Length > 1 && unit[1] is 'i' or 'I'
            ? $"{Show.Quoted(text)} has no unit that is known; write {number}{letter}iB"
            : $"{Show.Quoted(text)} has no unit that is known; write {number}{letter}B or {number}{letter}iB";
    }
}
