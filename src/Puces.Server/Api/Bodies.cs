using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Api;

/// <summary>Reads JSON bodies, and says what is wrong with one as the job file's reader does: where it is, and what would be right.</summary>
internal static partial class Bodies
{
    private const string Title = "the body is not the JSON that is expected here";

    public static async Task<ReadOnlyMemory<byte>> WholeAsync(HttpContext context)
    {
        var body = new MemoryStream(context.Request.ContentLength is > 0 and < 1 << 26 and var length ? (int)length : 1024);
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type) where T : class => Read((await WholeAsync(context)).Span, type);

    public static T Read<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type) where T : class
    {
        if (body.Length == 0) throw new RequestException(400, Title, $"it is empty; send a {typeof(T).Name} as /openapi/v1.json describes it");
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new RequestException(400, Title, $"it is null; send a {typeof(T).Name} as /openapi/v1.json describes it");
        }
        catch (JsonException e) when (e is not JobFileException)
        {
            var words = $"{(e.LineNumber is { } line ? $"line {line + 1}, byte {e.BytePositionInLine + 1}: " : "")}{(Path(e) is { Length: > 0 } path ? path + ": " : "")}{Mistake(e)}";
            throw new RequestException(400, Title, words);
        }
    }

    /// <summary>Such as <c>jobs[0].owner</c>; empty for the whole body.</summary>
    private static string Path(JsonException e) => e.Path is ['$', .. var path] ? path.TrimStart('.') : "";

    /// <summary>The reader's words name .NET types; these name fields and forms.</summary>
    private static string Mistake(JsonException e)
    {
        var text = Place.Replace(e.Message, "");
        if (UnknownField.Match(text) is { Success: true } unknown)
        {
            var names = NamesOf(unknown.Groups["type"].Value);
            return Nearest.Of(unknown.Groups["name"].Value, names) is { } near ? $"there is no field {unknown.Groups["name"].Value}; did you mean {near}?"
                : $"there is no field {unknown.Groups["name"].Value}; the fields are {string.Join(", ", names)}";
        }
        if (text.Contains("open JSON object or array", StringComparison.Ordinal)) return "it ends in the middle of an object, a list or a text: was it cut short?";
        if (Missing.Match(text) is { Success: true } missing) return $"{missing.Groups["names"].Value.Replace("'", "", StringComparison.Ordinal)} is missing";
        if (WrongKind.Match(text) is { Success: true } kind) return $"write {FormOf(kind.Groups["type"].Value, e.InnerException?.Message ?? "")}";
        if (NoNull.IsMatch(text)) return "must not be null";
        if (Twice.Match(text) is { Success: true } twice) return $"{twice.Groups["name"].Value} stands here twice; keep one";
        if (text.Contains("maximum configured depth", StringComparison.Ordinal) || text.Contains("The maximum depth", StringComparison.Ordinal)) return "it is nested too deep";
        if (text.Contains("trailing comma", StringComparison.Ordinal)) return "a comma stands here with nothing after it; take it out";
        if (text.Contains("after a single JSON value", StringComparison.Ordinal)) return "something stands behind the end of the document; send one";
        return text.Split(". Path:")[0];
    }

    /// <param name="type">What was to be read: of a single value, the record that it stands in.</param>
    /// <param name="cause">What the reader says of a single value.</param>
    private static string FormOf(string type, string cause) =>
        cause.Contains("UTF-8", StringComparison.Ordinal) || cause.Contains("UTF-16", StringComparison.Ordinal) ? "a text in UTF-8, without half a surrogate pair"
        : cause.Contains("as a string", StringComparison.Ordinal) || type == "System.String" ? "a text"
        : cause.Contains("for an Int", StringComparison.Ordinal) ? "a whole number"
        : cause.Contains("as a number", StringComparison.Ordinal) ? "a number"
        : type.Contains("List`1", StringComparison.Ordinal) ? "a list"
        : "an object";

    private static IReadOnlyList<string> NamesOf(string type) =>
        typeof(ContractJson).Assembly.GetType(type) is { } found && ContractJson.Default.GetTypeInfo(found) is { } info ? [.. info.Properties.Where(p => p.Set is not null || p.AssociatedParameter is not null).Select(p => p.Name)] : [];

    [GeneratedRegex(@" (Path: \S+ \| )?LineNumber: \d+ \| BytePositionInLine: \d+\.$")]
    private static partial Regex Place { get; }

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped to any .NET member contained in type '(?<type>[^']+)'", RegexOptions.Singleline)]
    private static partial Regex UnknownField { get; }

    [GeneratedRegex("missing required properties including: (?<names>.+?)\\.?$")]
    private static partial Regex Missing { get; }

    [GeneratedRegex(@"could not be converted to (?<type>\S+?)\.?$")]
    private static partial Regex WrongKind { get; }

    [GeneratedRegex("doesn't allow (setting )?null|is not nullable|non-nullable", RegexOptions.IgnoreCase)]
    private static partial Regex NoNull { get; }

    [GeneratedRegex("[Dd]uplicate property '(?<name>[^']*)'")]
    private static partial Regex Twice { get; }
}
