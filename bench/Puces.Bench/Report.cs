using System.Text;

namespace Puces.Bench;

/// <summary>The lines of the report: shown as they come, kept for the file, with the aims once more at the end.</summary>
internal sealed class Report
{
    private readonly StringBuilder _text = new();
    private readonly List<string> _aims = [];

    public void Line(string text = "")
    {
        Console.WriteLine(text);
        _text.Append(text).Append('\n');
    }

    public void Heading(string text)
    {
        Line();
        Line(text);
    }

    /// <summary>A figure of one system, with what lies behind it.</summary>
    public void Figure(string who, string what, double value, string unit, string details = "") =>
        Line($"  {who,-6} {what,-44} {Figures.Show(value),9} {unit,-9} {details}".TrimEnd());

    /// <summary>What was aimed at and what was met.</summary>
    public void Aim(string what, double value, string unit, double aim, bool isAtMost = false)
    {
        var word = double.IsNaN(value) ? "not measured" : (isAtMost ? value <= aim : value >= aim) ? "met" : "missed";
        var line = $"  {what,-66} {Figures.Show(value),9} {unit,-9} aim {(isAtMost ? "≤" : "≥")} {Figures.Show(aim)}: {word}";
        Line("  →    " + line.TrimStart());
        _aims.Add(line);
    }

    public string Finish()
    {
        if (_aims.Count > 0) Heading("The aims");
        foreach (var aim in _aims) Line(aim);
        return _text.ToString();
    }
}
