using Puces.Core.Contract;
using Puces.Core.Jobs;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Puces.Cli.JobFiles;

/// <summary>YAML → <see cref="SpecNode"/>: one document, with anchors and merge keys, and of a bounded size however often its aliases repeat.</summary>
internal sealed class YamlReader
{
    private const int MostNodes = 10_000;
    private const int DeepestNesting = SpecReader.DeepestNesting;

    private readonly Parser _parser;
    private readonly Dictionary<string, SpecNode?> _anchors = new(StringComparer.Ordinal);   // null while its node is being read
    private readonly Stack<SpecMark> _brackets = new();   // those open now
    private readonly Scanner _scanner;
    private int _nodes;

    private YamlReader(string text)
    {
        _scanner = new(new StringReader(text), skipComments: true);
        _parser = new(_scanner);
    }

    /// <summary>Exactly one of the two is null.</summary>
    public static (SpecNode? Root, FieldError? Error) Read(string text)
    {
        try
        {
            return (new YamlReader(text).Document(), null);
        }
        catch (Fault fault)
        {
            return (null, new("", fault.Message, fault.Mark.Line, fault.Mark.Column));
        }
        catch (YamlException bad)
        {
            var (line, column) = ((int)Math.Max(1, bad.Start.Line), (int)Math.Max(1, bad.Start.Column));
            return (null, new("", YamlWords.Plain(bad.Message, text, ref line, ref column), line, column));
        }
    }

    private SpecNode Document()
    {
        Next();   // the stream starts
        if (Next() is StreamEnd) throw new Fault(new(1, 1), "the file is empty; write at least run: and what to run");
        var root = Node(Next(), depth: 1);
        Next();   // the document ends
        if (Next() is DocumentStart second) throw new Fault(MarkOf(second), "a second document starts here; a job file has one, so write each job to a file of its own");
        return root;
    }

    private ParsingEvent Next()
    {
        try
        {
            return _parser.MoveNext() ? _parser.Current! : throw new Fault(new(1, 1), "the file ends too early");
        }
        catch (YamlException bad) when (_brackets.Count > 0 && bad.Message.Contains("expected ',' or", StringComparison.Ordinal))
        {
            throw Unclosed();
        }
        catch (Exception defect) when (defect is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner meets some broken texts with these instead of its own exception.
            if (_brackets.Count > 0) throw Unclosed();
            var at = _scanner.CurrentPosition;
            throw new Fault(new((int)at.Line, (int)at.Column), "this is not YAML; look here for a quote or a bracket too many");
        }
    }

    private Fault Unclosed() => new(_brackets.Peek(), "this bracket is never closed, or a ',' is missing after one of its items");

    private SpecNode Node(ParsingEvent at, int depth)
    {
        Weigh(MarkOf(at), depth);
        if (at is AnchorAlias alias) return Alias(alias, depth);
        var anchor = at is NodeEvent { Anchor: { IsEmpty: false } name } ? name.Value : null;
        if (anchor is not null) _anchors[anchor] = null;
        SpecNode node = at switch
        {
            Scalar scalar => Text(scalar),
            SequenceStart start => Items(start, depth),
            MappingStart start => Entries(start, depth),
            _ => throw new Fault(MarkOf(at), "a value is expected here"),
        };
        if (anchor is not null) _anchors[anchor] = node;
        return node;
    }

    private static SpecNode Text(Scalar scalar)
    {
        var mark = MarkOf(scalar);
        var tag = TagOf(scalar);
        var isNull = tag is "null" || (tag is null && !IsQuoted(scalar) && scalar.Value is "" or "~" or "null" or "Null" or "NULL");
        return isNull ? new SpecNode.Null(mark) : new SpecNode.Scalar(mark, scalar.Value, IsQuoted(scalar) || tag is "str");
    }

    private static bool IsQuoted(Scalar scalar) => scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any);

    private static string? TagOf(NodeEvent node)
    {
        if (node.Tag.IsEmpty || node.Tag.IsNonSpecific) return null;
        const string Standard = "tag:yaml.org,2002:";
        var tag = node.Tag.Value;
        if (tag.StartsWith(Standard, StringComparison.Ordinal)) return tag[Standard.Length..];
        throw new Fault(MarkOf(node), "tags such as !name mean nothing in a job file; take it out");
    }

    private SpecNode.Sequence Items(SequenceStart start, int depth)
    {
        TagOf(start);
        var items = new List<SpecNode>();
        if (start.Style == SequenceStyle.Flow) _brackets.Push(MarkOf(start));
        for (var next = Next(); next is not SequenceEnd; next = Next()) items.Add(Node(next, depth + 1));
        if (start.Style == SequenceStyle.Flow) _brackets.Pop();
        return new(MarkOf(start), items);
    }

    private SpecNode.Mapping Entries(MappingStart start, int depth)
    {
        TagOf(start);
        var entries = new List<SpecEntry>();
        List<SpecNode.Mapping>? merged = null;
        if (start.Style == MappingStyle.Flow) _brackets.Push(MarkOf(start));
        for (var next = Next(); next is not MappingEnd; next = Next())
        {
            if (next is not Scalar key) throw new Fault(MarkOf(next), "a key must be one plain text");
            Weigh(MarkOf(key), depth + 1);
            if (!key.Anchor.IsEmpty) throw new Fault(MarkOf(key), "an anchor belongs to a value, not to a key");
            var value = Node(Next(), depth + 1);
            if (key.Value == "<<" && !IsQuoted(key)) (merged ??= []).AddRange(Merged(value, MarkOf(key)));
            else entries.Add(new(key.Value, MarkOf(key), value));
        }
        if (start.Style == MappingStyle.Flow) _brackets.Pop();
        if (merged is not null) Merge(entries, merged);
        return new(MarkOf(start), entries);
    }

    private static IEnumerable<SpecNode.Mapping> Merged(SpecNode value, SpecMark mark) => value switch
    {
        SpecNode.Mapping one => [one],
        SpecNode.Sequence many when many.Items.All(item => item is SpecNode.Mapping) => many.Items.Cast<SpecNode.Mapping>(),
        _ => throw new Fault(mark, "<< takes the alias of a mapping, such as <<: *defaults, or a list of such aliases"),
    };

    // What stands in the mapping itself wins; of the merged ones, the earlier.
    private static void Merge(List<SpecEntry> entries, List<SpecNode.Mapping> merged)
    {
        var keys = entries.Select(e => e.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var mapping in merged)
            foreach (var entry in mapping.Entries)
                if (keys.Add(entry.Key)) entries.Add(entry);
    }

    private SpecNode Alias(AnchorAlias alias, int depth)
    {
        var name = alias.Value.Value;
        if (!_anchors.TryGetValue(name, out var node)) throw new Fault(MarkOf(alias), $"there is no anchor &{Show.Plain(name)} before this alias");
        if (node is null) throw new Fault(MarkOf(alias), $"*{Show.Plain(name)} stands inside of what it names");
        Repeat(node, MarkOf(alias), depth);
        return node;
    }

    // An alias costs as much as what it stands for: nine aliases of nine aliases of nine … are refused when they become too many.
    private void Repeat(SpecNode node, SpecMark mark, int depth)
    {
        Weigh(mark, depth);
        if (node is SpecNode.Sequence list)
            foreach (var item in list.Items) Repeat(item, mark, depth + 1);
        if (node is SpecNode.Mapping mapping)
            foreach (var entry in mapping.Entries) Repeat(entry.Value, mark, depth + 1);
    }

    private void Weigh(SpecMark mark, int depth)
    {
        if (++_nodes > MostNodes) throw new Fault(mark, $"the file has more than {MostNodes:N0} values, its aliases counted out; that is no job file");
        if (depth > DeepestNesting) throw new Fault(mark, $"this is nested more than {DeepestNesting} deep; that is no job file");
    }

    private static SpecMark MarkOf(ParsingEvent at) => new((int)at.Start.Line, (int)at.Start.Column);

    private sealed class Fault(SpecMark mark, string message) : Exception(message)
    {
        public SpecMark Mark { get; } = mark;
    }
}
