using System.Globalization;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>Reads the keys of a job file that have a form of their own.</summary>
internal sealed class JobParts(FieldReader reader)
{
    private static readonly string[] Signals = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "WINCH"];
    private static readonly string[] Instants = ["yyyy-MM-ddTHH:mmzzz", "yyyy-MM-ddTHH:mm:sszzz", "yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz"];

    public RunCommand? Run(SpecNode node)
    {
        if (node is not SpecNode.Sequence list) return reader.Filled(node, JobFields.Run) is { } script ? new(Script: script) : null;
        if (list.Items.Count == 0) reader.Fault(node, JobFields.Run, "is an empty list; write run: [python, train.py]");
        var arguments = Texts(list, JobFields.Run);
        if (arguments is null || arguments.Count == 0) return null;
        if (!string.IsNullOrWhiteSpace(arguments[0])) return new(Arguments: arguments);
        reader.Fault(list.Items[0], new Place(JobFields.Run, 0), "names no program; write run: [python, train.py]");
        return null;
    }

    // Null, and reported, where any of the items is no text.
    private List<string>? Texts(SpecNode.Sequence list, JobField field)
    {
        var texts = new List<string>(list.Items.Count);
        for (var i = 0; i < list.Items.Count; i++)
            if (reader.Text(list.Items[i], new Place(field, i)) is { } text) texts.Add(text);
        return texts.Count == list.Items.Count ? texts : null;
    }

    public List<string>? Where(SpecNode node)
    {
        IReadOnlyList<SpecNode> items = node is SpecNode.Sequence list ? list.Items : [node];
        if (items.Count == 0) reader.Fault(node, JobFields.Where, "is empty; name a pool, a country or eu, or leave where out");
        var names = new List<string>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            var place = new Place(JobFields.Where, node is SpecNode.Sequence ? i : -1);
            if (items[i] is SpecNode.Scalar { Text: var text } && text.Contains(',', StringComparison.Ordinal))
            {
                var right = string.Join(", ", text.Split(',').Select(t => t.Trim()));
                reader.Fault(items[i], place, $"{Show.Quoted(text)} has a comma in it; write where: [{Show.Plain(right)}]");
                continue;
            }
            if (reader.Name(items[i], place) is not { } name) continue;
            if (!names.Contains(name)) names.Add(name);
            else reader.Fault(items[i], place, $"{name} stands here twice; keep one");
        }
        return names.Count > 0 ? names : null;
    }

    public SpotUse? Spot(SpecNode node)
    {
        if (reader.Text(node, JobFields.Spot) is not { } text) return null;
        switch (text.Trim().ToUpperInvariant())
        {
            case "NEVER" or "FALSE" or "NO" or "OFF": return SpotUse.Never;
            case "AUTO" or "TRUE" or "YES" or "ON": return SpotUse.Auto;
            case "ONLY": return SpotUse.Only;
        }
        reader.Fault(node, JobFields.Spot, $"{Show.Quoted(text)} is not known; write never, auto or only");
        return null;
    }

    public Preference? Prefer(SpecNode node)
    {
        if (reader.Text(node, JobFields.Prefer) is not { } text) return null;
        switch (text.Trim().ToUpperInvariant())
        {
            case "SOONEST": return Preference.Soonest;
            case "CHEAPEST": return Preference.Cheapest;
        }
        reader.Fault(node, JobFields.Prefer, $"{Show.Quoted(text)} is not known; write soonest or cheapest");
        return null;
    }

    public Money? Budget(SpecNode node)
    {
        if (reader.Filled(node, JobFields.Budget) is not { } written) return null;
        var text = written.Trim();
        if (Money.TryParse(text, out var money) && money.Micros > 0) return money;
        var fault =
            money.Currency is not null ? $"{Show.Plain(text)} lets nothing run; write more than nothing, or leave budget out"
            : FieldReader.TryNumber(text, out _) ? $"{Show.Plain(text)} has no currency; write {text} EUR or {text} USD"
            : text.Contains(',', StringComparison.Ordinal) && Money.TryParse(text.Replace(",", "", StringComparison.Ordinal), out _)
                ? $"{Show.Quoted(text)} has a comma; write {Show.Plain(text.Replace(",", "", StringComparison.Ordinal))}"
            : $"{Show.Quoted(text)} is not an amount of money; write it like 200 EUR, €200 or $49.90";
        reader.Fault(node, JobFields.Budget, fault);
        return null;
    }

    public DateTimeOffset? Deadline(SpecNode node)
    {
        if (reader.Filled(node, JobFields.Deadline) is not { } written) return null;
        var text = written.Trim().ToUpperInvariant();
        if (text.Length > 10 && text[10] == ' ') text = $"{text[..10]}T{text[11..].TrimStart()}";
        if (TryInstant(text, out var deadline)) return deadline;
        var shown = Show.Quoted(written.Trim());
        reader.Fault(node, JobFields.Deadline,
            TryInstant(text + "Z", out _) ? $"{shown} has no time zone; write {text}Z for UTC, or {text}+02:00"
            : TryInstant(text + "T00:00:00Z", out _) ? $"{shown} has no time and no zone; write {text}T18:00:00Z or {text}T18:00:00+02:00"
            : $"{shown} is not a date and time; write it like 2030-06-01T08:00:00Z or 2030-06-01T08:00:00+02:00");
        return null;
    }

    private static bool TryInstant(string text, out DateTimeOffset instant)
    {
        if (text.EndsWith('Z')) text = text[..^1] + "+00:00";
        return DateTimeOffset.TryParseExact(text, Instants, CultureInfo.InvariantCulture, DateTimeStyles.None, out instant);
    }

    public int? Priority(SpecNode node)
    {
        if (reader.Text(node, JobFields.Priority) is not { } text) return null;
        switch (text.Trim().ToUpperInvariant())
        {
            case "LOW": return -100;
            case "NORMAL": return 0;
            case "HIGH": return 100;
            case "URGENT": return 500;
        }
        if (FieldReader.TryNumber(text, out _)) return reader.Whole(node, JobFields.Priority, -JobFields.GreatestPriority, JobFields.GreatestPriority);
        reader.Fault(node, JobFields.Priority, $"{Show.Quoted(text)} is not known; write low, normal, high, urgent or a whole number from -1000 to 1000");
        return null;
    }

    public string? Image(SpecNode node)
    {
        if (reader.Filled(node, JobFields.Image) is not { } text) return null;
        if (!text.Any(char.IsWhiteSpace)) return text;
        reader.Fault(node, JobFields.Image, $"{Show.Quoted(text)} has a blank in it; write {JobFields.Image.Example}");
        return null;
    }

    public string? Workdir(SpecNode node) =>
        node is SpecNode.Null or SpecNode.Scalar { IsQuoted: false, Text: "none" or "None" or "false" } ? null : reader.Filled(node, JobFields.Workdir);

    public CheckpointSpec? Checkpoint(SpecNode node)
    {
        if (node is not SpecNode.Mapping mapping) { reader.WrongKind(node, JobFields.Checkpoint); return null; }
        string? path = null, signal = null;
        TimeSpan? grace = null, every = null;
        foreach (var (field, value) in reader.Fields(mapping, "checkpoint", JobFields.OfCheckpoint))
        {
            switch (field.Key)
            {
                case "path": path = SavePath(value); break;
                case "signal": signal = Signal(value); break;
                case "grace": grace = reader.Duration(value, field, orZero: true); break;
                case "every": every = reader.Duration(value, field); break;
            }
        }
        return signal is null ? new(path, Grace: grace, Every: every) : new(path, signal, grace, every);
    }

    private string? SavePath(SpecNode node)
    {
        if (reader.Filled(node, JobFields.CheckpointPath) is not { } path) return null;
        if (!path.Split('/').Contains("..")) return path;
        reader.Fault(node, JobFields.CheckpointPath, $"{Show.Quoted(path)} leaves the work directory; write a path in it, or an absolute one");
        return null;
    }

    private string? Signal(SpecNode node)
    {
        var field = JobFields.CheckpointSignal;
        if (reader.Filled(node, field) is not { } text) return null;
        var name = text.Trim().ToUpperInvariant();
        if (name.StartsWith("SIG", StringComparison.Ordinal)) name = name[3..];
        if (Signals.Contains(name)) return name;
        reader.Fault(node, field,
            name is "KILL" or "STOP" ? $"{Show.Plain(text)} cannot be caught by a program; write USR1 or TERM"
            : FieldReader.TryNumber(name, out _) ? $"{Show.Plain(text)} is a number, which means another signal on another machine; write a name such as USR1"
            : Nearest.Of(name, Signals) is { } near ? $"{Show.Quoted(text)} is no signal that is known; did you mean {near}?"
            : $"{Show.Quoted(text)} is no signal that is known; write one of {string.Join(", ", Signals)}");
        return null;
    }

    public Dictionary<string, string>? Mounts(SpecNode node)
    {
        if (node is not SpecNode.Mapping mapping) { reader.WrongKind(node, JobFields.Mounts); return null; }
        var mounts = new Dictionary<string, string>(mapping.Entries.Count, StringComparer.Ordinal);
        foreach (var entry in mapping.Entries)
        {
            var place = new Place(JobFields.Mounts, Key: entry.Key);
            if (WrongTarget(entry.Key) is { } wrong) reader.Fault(entry.Mark, place.ToString(), wrong);
            else if (mounts.ContainsKey(entry.Key)) reader.Repeated(mapping, entry, place.ToString());
            else if (reader.Filled(entry.Value, place) is { } source) mounts.Add(entry.Key, source);
        }
        return mounts.Count > 0 ? mounts : null;
    }

    private static string? WrongTarget(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || !FieldReader.CanBeGiven(path) || path.Contains('\\'))
            return $"{Show.Quoted(path)} is not a path in the work directory; write one such as data/corpus.txt";
        var parts = path.Split('/');
        var right = Show.Plain(string.Join('/', parts.Where(p => p is not ("" or ".")).DefaultIfEmpty("data")));
        if (path[0] == '/') return $"{Show.Quoted(path)} is absolute; write a path in the work directory, such as {right}";
        if (parts.Contains("..")) return $"{Show.Quoted(path)} leaves the work directory; write a path in it, without '..'";
        return parts.Any(p => p is "" or ".") ? $"{Show.Quoted(path)} has empty parts; write {right}" : null;
    }

    public Dictionary<string, string>? Env(SpecNode node)
    {
        var env = new Dictionary<string, string>(StringComparer.Ordinal);
        switch (node)
        {
            case SpecNode.Mapping mapping:
                foreach (var entry in mapping.Entries)
                {
                    var place = new Place(JobFields.Env, Key: entry.Key);
                    if (!IsVariable(entry.Key, entry.Mark, place)) continue;
                    if (env.ContainsKey(entry.Key)) reader.Repeated(mapping, entry, place.ToString());
                    else if (entry.Value is SpecNode.Scalar) { if (reader.Text(entry.Value, place) is { } text) env.Add(entry.Key, text); }
                    else if (entry.Value is SpecNode.Null) reader.Fault(entry.Value, place, $"has no value; write {entry.Key}: \"\" for an empty one");
                    else reader.Fault(entry.Value, place, $"takes one value; write {entry.Key}: \"a text\"");
                }
                break;
            case SpecNode.Sequence list:
                for (var i = 0; i < list.Items.Count; i++) Assignment(list.Items[i], i, env);
                break;
            default:
                reader.WrongKind(node, JobFields.Env);
                break;
        }
        return env.Count > 0 ? env : null;
    }

    private void Assignment(SpecNode item, int index, Dictionary<string, string> env)
    {
        var place = new Place(JobFields.Env, index);
        if (item is not SpecNode.Scalar) { reader.Fault(item, place, "takes NAME=value; write SEED=42"); return; }
        if (reader.Text(item, place) is not { } text) return;
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0) { reader.Fault(item, place, $"{Show.Quoted(text)} has no value; write {Show.Plain(text)}=value"); return; }
        var name = text[..equals];
        if (IsVariable(name, item.Mark, place) && !env.TryAdd(name, text[(equals + 1)..])) reader.Fault(item, place, $"{name} stands here twice; keep one");
    }

    private bool IsVariable(string name, SpecMark mark, Place place)
    {
        var fits = name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
        var wrong = !fits ? $"{Show.Quoted(name)} is not the name of a variable; write letters, digits and '_', not starting with a digit" : Reserved(name);
        if (wrong is not null) reader.Fault(mark, place.ToString(), wrong);
        return wrong is null;
    }

    private static string? Reserved(string name) => name.StartsWith("PUCES_", StringComparison.Ordinal)
        ? $"{Show.Plain(name)} is reserved: Puces sets the variables that start with PUCES_; choose another name"
        : null;

    public List<string>? Secrets(SpecNode node)
    {
        IReadOnlyList<SpecNode> items = node is SpecNode.Sequence list ? list.Items : [node];
        var names = new List<string>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            var place = new Place(JobFields.Secrets, node is SpecNode.Sequence ? i : -1);
            if (items[i] is not SpecNode.Scalar) { reader.WrongKind(items[i], place); continue; }
            if (reader.Filled(items[i], place) is not { } name) continue;
            var fits = !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterUpper(c) || char.IsAsciiDigit(c) || c == '_');
            var wrong =
                !fits ? $"{Show.Quoted(name)} is not the name of a secret; write capitals, digits and '_', such as HF_TOKEN"
                : names.Contains(name) ? $"{name} stands here twice; keep one"
                : Reserved(name);
            if (wrong is not null) reader.Fault(items[i], place, wrong);
            else names.Add(name);
        }
        return names.Count > 0 ? names : null;
    }

    public RetrySpec? Retries(SpecNode node)
    {
        if (node is not SpecNode.Mapping mapping)
        {
            if (node is not SpecNode.Scalar) { reader.WrongKind(node, JobFields.Retries); return null; }
            return reader.Whole(node, JobFields.Retries, 0, JobFields.MostRetries) is { } only ? new(only) : null;
        }
        var count = 0;
        TimeSpan? backoff = null;
        IReadOnlyList<int>? codes = null;
        foreach (var (field, value) in reader.Fields(mapping, "retries", JobFields.OfRetries))
        {
            switch (field.Key)
            {
                case "count": count = reader.Whole(value, field, 0, JobFields.MostRetries) ?? 0; break;
                case "backoff": backoff = reader.Duration(value, field, orZero: true); break;
                case "restart_codes": codes = Codes(value); break;
            }
        }
        return new(count, backoff, codes);
    }

    private List<int> Codes(SpecNode node)
    {
        IReadOnlyList<SpecNode> items = node is SpecNode.Sequence list ? list.Items : [node];
        var codes = new List<int>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            var place = new Place(JobFields.RetryCodes, node is SpecNode.Sequence ? i : -1);
            if (items[i] is SpecNode.Scalar { Text: "0" }) reader.Fault(items[i], place, "0 means success, which asks for nothing; write a code from 1 to 255");
            else if (reader.Whole(items[i], place, 1, 255) is not { } code) continue;
            else if (codes.Contains(code)) reader.Fault(items[i], place, $"{code} stands here twice; keep one");
            else codes.Add(code);
        }
        return codes;
    }
}
