using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Puces.Server.Dashboard;

/// <summary>Markup. What is written in a literal stands as it is; whatever is put into its holes is encoded, unless it is markup itself.</summary>
[InterpolatedStringHandler]
internal readonly struct Html
{
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);
    private readonly StringBuilder? _text;

    public Html(int literalLength, int formattedCount) => _text = new(literalLength + formattedCount * 16);

    public static Html Empty => default;

    public static Html Of(Html markup) => markup;

    public void AppendLiteral(string text) => _text!.Append(text);

    public void AppendFormatted(Html markup) => _text!.Append(markup._text);

    public void AppendFormatted(IEnumerable<Html> markups)
    {
        foreach (var markup in markups) AppendFormatted(markup);
    }

    public void AppendFormatted(string? text) => _text!.Append(Encoder.Encode(text ?? ""));

    public void AppendFormatted(long number) => _text!.Append(number.ToString(CultureInfo.InvariantCulture));

    public override string ToString() => _text?.ToString() ?? "";
}
