using System.Globalization;
using System.Security;
using System.Text;

namespace Puces.Core.Replay;

/// <summary>A chart as inline SVG. Colours are classes of the page's style, so that light, dark and paper have their own.</summary>
internal sealed class ReportChart(ReportAxis x, ReportAxis y, int height = 300)
{
    private const int Width = 760;
    private const int Left = 64;
    private const int Right = 20;
    private const int Top = 30;
    private const int Bottom = 46;

    private readonly StringBuilder _drawn = new();

    private double X(double value) => Left + x.Place(value) * (Width - Left - Right);
    private double Y(double value) => height - Bottom - y.Place(value) * (height - Bottom - Top);

    public static string Escape(string text) => SecurityElement.Escape(text);

    /// <summary>A line of the policy with that number.</summary>
    /// <param name="isSteps">The value holds until the next point.</param>
    public void Line(int policy, IEnumerable<(double X, double Y)> points, bool isSteps = false)
    {
        var (isFirst, last) = (true, 0.0);
        _drawn.Append(CultureInfo.InvariantCulture, $"<path class=\"line p{policy}\" d=\"");
        foreach (var point in points)
        {
            if (isSteps && !isFirst && Y(point.Y) != last) _drawn.Append(CultureInfo.InvariantCulture, $"H{X(point.X):0.#}");
            _drawn.Append(CultureInfo.InvariantCulture, $"{(isFirst ? 'M' : 'L')}{X(point.X):0.#} {Y(point.Y):0.#}");
            (isFirst, last) = (false, Y(point.Y));
        }
        _drawn.Append("\"/>\n");
    }

    public void Dot(int policy, double at, double value, string tip) =>
        _drawn.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot p{policy}\" cx=\"{X(at):0.#}\" cy=\"{Y(value):0.#}\" r=\"4\"><title>{Escape(tip)}</title></circle>\n");

    /// <summary>A level that nothing passes, with its name.</summary>
    public void Level(double value, string name) =>
        _drawn.Append(CultureInfo.InvariantCulture, $"<path class=\"level\" d=\"M{Left} {Y(value):0.#}H{Width - Right}\"/><text class=\"note\" x=\"{Width - Right}\" y=\"{Y(value) - 5:0.#}\" text-anchor=\"end\">{Escape(name)}</text>\n");

    public string ToSvg(string title)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"{Escape(title)}\">\n");
        foreach (var (at, text) in y.Marks)
            svg.Append(CultureInfo.InvariantCulture, $"<path class=\"grid\" d=\"M{Left} {Y(at):0.#}H{Width - Right}\"/><text x=\"{Left - 8}\" y=\"{Y(at) + 4:0.#}\" text-anchor=\"end\">{Escape(text)}</text>\n");
        foreach (var (at, text) in x.Marks)
            svg.Append(CultureInfo.InvariantCulture, $"<path class=\"tick\" d=\"M{X(at):0.#} {height - Bottom}v5\"/><text x=\"{X(at):0.#}\" y=\"{height - Bottom + 19}\" text-anchor=\"middle\">{Escape(text)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"axis\" d=\"M{Left} {Top}V{height - Bottom}H{Width - Right}\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"label\" x=\"{Left}\" y=\"{Top - 14}\">{Escape(y.Label)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"label\" x=\"{Width - Right}\" y=\"{height - 6}\" text-anchor=\"end\">{Escape(x.Label)}</text>\n");
        return svg.Append(_drawn).Append("</svg>\n").ToString();
    }
}
