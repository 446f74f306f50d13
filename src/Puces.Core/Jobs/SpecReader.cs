using System.Buffers;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;

namespace Puces.Core.Jobs;

/// <summary>JSON → <see cref="SpecNode"/>.</summary>
public static class SpecReader
{
    /// <summary>Mappings and lists inside each other, at most; no job file needs more than four.</summary>
    public const int DeepestNesting = 32;

    /// <summary>Reads a whole JSON text; a byte order mark is skipped. Exactly one of the two is null.</summary>
    public static (SpecNode? Root, FieldError? Error) Read(ReadOnlySpan<byte> utf8)
    {
        if (utf8.StartsWith("\uFEFF"u8)) utf8 = utf8[3..];
        if (utf8.Trim(" \t\r\n"u8).IsEmpty) return (null, new("", "the file is empty; write at least run: and what to run", 1, 1));
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = DeepestNesting });
        var lines = new Lines(utf8);
        try
        {
            reader.Read();
            var root = Read(ref reader, ref lines);
            reader.Read();   // throws where more follows
            return (root, null);
        }
        catch (JsonException bad)
        {
            return (null, new("", "this is not JSON: " + Words(bad), (int)(bad.LineNumber ?? 0) + 1, (int)(bad.BytePositionInLine ?? 0) + 1));
        }
        catch (InvalidOperationException)   // half a surrogate pair, or bytes that are not UTF-8
        {
            var at = lines.MarkAt(reader.TokenStartIndex);
            return (null, new("", "this text is not valid Unicode; save the file as UTF-8", at.Line, at.Column));
        }
    }

    /// <summary>Reads the value that the reader stands on, and leaves it on its last token. Lines are not known here.</summary>
    internal static SpecNode Read(ref Utf8JsonReader reader)
    {
        var nowhere = new Lines([]);
        try
        {
            return Read(ref reader, ref nowhere);
        }
        catch (InvalidOperationException bad)
        {
            throw new JsonException("A text is not valid Unicode.", bad);
        }
    }

    private static SpecNode Read(ref Utf8JsonReader reader, ref Lines lines)
    {
        var mark = lines.MarkAt(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                if (reader.CurrentDepth >= DeepestNesting) throw new JsonException($"The maximum depth of {DeepestNesting} has been exceeded.");
                var entries = new List<SpecEntry>(8);
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var at = lines.MarkAt(reader.TokenStartIndex);
                    var key = reader.GetString()!;
                    reader.Read();
                    entries.Add(new(key, at, Read(ref reader, ref lines)));
                }
                return new SpecNode.Mapping(mark, entries);
            case JsonTokenType.StartArray:
                if (reader.CurrentDepth >= DeepestNesting) throw new JsonException($"The maximum depth of {DeepestNesting} has been exceeded.");
                var items = new List<SpecNode>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) items.Add(Read(ref reader, ref lines));
                return new SpecNode.Sequence(mark, items);
            case JsonTokenType.String:
                return new SpecNode.Scalar(mark, reader.GetString()!, IsQuoted: true);
            case JsonTokenType.Null:
                return new SpecNode.Null(mark);
            default:
                return new SpecNode.Scalar(mark, Encoding.UTF8.GetString(reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan), IsQuoted: false);
        }
    }

    // "'}' is invalid … LineNumber: 0 | BytePositionInLine: 5.": the position is told apart from the words.
    private static string Words(JsonException bad)
    {
        var text = bad.Message;
        var end = text.IndexOf(" LineNumber:", StringComparison.Ordinal);
        if (end < 0) end = text.IndexOf(" Path:", StringComparison.Ordinal);
        return (end < 0 ? text : text[..end]).TrimEnd('.');
    }

    /// <summary>Turns byte offsets, asked for in rising order, into lines and columns; without a text, into nowhere.</summary>
    private ref struct Lines(ReadOnlySpan<byte> text)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private int _at;
        private int _line = 1;
        private int _column = 1;

        public SpecMark MarkAt(long offset)
        {
            if (_text.IsEmpty) return default;
            var passed = _text[_at..(int)offset];
            _at = (int)offset;
            while (passed.IndexOf((byte)'\n') is >= 0 and var end)
            {
                _line++;
                _column = 1;
                passed = passed[(end + 1)..];
            }
            _column += Encoding.UTF8.GetCharCount(passed);
            return new(_line, _column);
        }
    }
}
