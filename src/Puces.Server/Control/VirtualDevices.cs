using System.Globalization;
using System.Text.RegularExpressions;
using Puces.Core.Fleet;

namespace Puces.Server.Control;

/// <summary>Devices that are configured, not found: for trials and tests.</summary>
internal static partial class VirtualDevices
{
    /// <summary><c>H100:8</c>, or several kinds as <c>H100:4,L4:2</c>. Throws <see cref="FormatException"/> with words for people.</summary>
    /// <param name="islands">So many at a time are joined by fast links; null for none.</param>
    public static IReadOnlyList<Device> Of(string text, int? islands = null)
    {
        var devices = new List<Device>();
        foreach (var kind in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = kind.Split(':');
            var count = 1;
            if (parts.Length > 2 || parts[0].Length == 0 || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out count)) || count is < 1 or > 1024)
                throw new FormatException($"\"{kind}\" is not a number of devices: write a model and a count up to 1024, such as H100:8");
            var model = parts[0].ToUpperInvariant();
            if (CountFirst.Match(kind) is { Success: true } turned)
                throw new FormatException($"\"{kind}\" has its count in front: write {turned.Groups["model"].Value.ToUpperInvariant()}:{turned.Groups["count"].Value}");
            if (!Model.IsMatch(model)) throw new FormatException($"\"{parts[0]}\" is no model: write letters, digits, '.' and '-', such as H100:8");
            var known = Accelerators.Find(model);
            for (var i = 0; i < count; i++) devices.Add(new(devices.Count, model, known?.Vendor ?? "nvidia", known?.Memory ?? default, Island: devices.Count / islands));
        }
        return devices;
    }

    [GeneratedRegex(@"^(?<count>\d+) ?[xX] ?(?<model>[A-Za-z]\w*)$")]
    private static partial Regex CountFirst { get; }

    [GeneratedRegex(@"^[A-Z0-9][A-Z0-9.-]{0,63}$")]
    private static partial Regex Model { get; }
}
