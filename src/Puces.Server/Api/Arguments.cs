using System.Text.RegularExpressions;
using Puces.Core.Jobs;

namespace Puces.Server.Api;

/// <summary>What stands behind the question mark of an address, and the numbers in its path.</summary>
internal static partial class Arguments
{
    /// <summary>A mistyped filter must not silently match everything: an argument that the endpoint does not take is refused.</summary>
    public static EndpointFilterDelegate RefuseUnknown(EndpointFilterFactoryContext endpoint, EndpointFilterDelegate next)
    {
        string[] known = [.. endpoint.MethodInfo.GetParameters().Where(p => IsPlain(Nullable.GetUnderlyingType(p.ParameterType) ?? p.ParameterType)).Select(p => p.Name!)];
        return invocation =>
        {
            foreach (var name in invocation.HttpContext.Request.Query.Keys)
                if (!known.Contains(name, StringComparer.OrdinalIgnoreCase) || invocation.HttpContext.Request.RouteValues.ContainsKey(name)) throw Unknown(name, [.. known.Where(k => !invocation.HttpContext.Request.RouteValues.ContainsKey(k))]);
            return next(invocation);
        };
    }

    /// <summary>The framework's words for an argument that is no number, in ours.</summary>
    public static string? Mistake(BadHttpRequestException e)
    {
        if (Unbound.Match(e.Message) is not { Success: true } found) return null;
        if (found.Groups["name"].Value == "id") return $"a job stands here by its number, not by {found.Groups["value"].Value}; /api/v1/jobs?state=all&name=NAME finds it";
        var what = found.Groups["type"].Value switch { "bool" => "true or false", "string" => "a text", _ => "a whole number" };
        return $"{found.Groups["name"].Value}={found.Groups["value"].Value}: write {what}";
    }

    private static RequestException Unknown(string name, IReadOnlyList<string> known)
    {
        var right = known.Count == 0 ? "this address takes none"
            : Nearest.Of(name, known) is { } near ? $"did you mean {near}?" : $"write {string.Join(", ", known.SkipLast(1))}{(known.Count > 1 ? " or " : "")}{known[^1]}";
        return new(400, $"there is no argument {name}; {right}");
    }

    private static bool IsPlain(Type type) => type == typeof(string) || type == typeof(int) || type == typeof(long) || type == typeof(bool);

    [GeneratedRegex("""^Failed to bind parameter "(?<type>\w+)\??(<\w+>)? (?<name>\w+)" from "(?<value>.*)"\.$""", RegexOptions.Singleline)]
    private static partial Regex Unbound { get; }
}
