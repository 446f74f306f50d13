using System.Globalization;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>
/// Reads <c>gpus</c>: <c>2</c>, <c>H100:8</c>, <c>L4:0.5</c>, <c>{vram: 80GB+, count: 4}</c>, or a list of these in order of preference.
/// An amount alone means at least that much, as with a plus.
/// </summary>
internal sealed class GpuForms(FieldReader reader)
{
    private static readonly string[] Vendors = ["nvidia", "amd", "intel", "google", "amazon"];

    /// <summary>Null for none.</summary>
    public IReadOnlyList<GpuRequest>? Read(SpecNode node)
    {
        if (node is not SpecNode.Sequence list) return Alternative(node, JobFields.Gpus) is { } only ? [only] : null;
        var requests = new List<GpuRequest>(list.Items.Count);
        for (var i = 0; i < list.Items.Count; i++)
        {
            var place = new Place(JobFields.Gpus, Alternative: i);
            if (IsNone(list.Items[i])) reader.Fault(list.Items[i], place, "no device is not an alternative to others; take it out of the list");
            else if (Alternative(list.Items[i], place) is { } request) requests.Add(request);
        }
        return requests.Count > 0 ? requests : null;
    }

    private static bool IsNone(SpecNode node) =>
        node is SpecNode.Scalar { Text: var text } && text.Trim() is var word && (word == "0" || word.Equals("none", StringComparison.OrdinalIgnoreCase));

    private GpuRequest? Alternative(SpecNode node, Place place)
    {
        if (node is SpecNode.Mapping mapping) return Need(mapping, place);
        if (IsNone(node) || reader.Text(node, place) is not { } written) return null;
        var text = written.Trim();
        if (FieldReader.TryNumber(text, out var count))
        {
            if (count == Math.Floor(count)) return reader.Whole(node, place, 1, JobFields.MostDevices) is { } whole ? new(whole) : null;
            return Part(text, node, place, "gpus: ") is { } part ? new(Share: part) : null;
        }
        var colon = text.LastIndexOf(':');
        if (colon < 0) return Name(text, node, place) is { } name ? new(1, name) : null;

        var (model, number) = (text[..colon].Trim(), text[(colon + 1)..].Trim());
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var devices))
        {
            if (FieldReader.TryNumber(number, out var part) && part != Math.Floor(part))
                return Part(number, node, place, $"gpus: {Show.Plain(model)}:") is { } share && Name(model, node, place) is { } shared ? new(1, shared, Share: share) : null;
            var right = int.TryParse(model, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? $"{number}:{model}" : "H100:8";
            reader.Fault(node, place, $"{Show.Quoted(text)} has no count after the colon; write gpus: {Show.Plain(right)}");
            return null;
        }
        if (devices is < 1 or > JobFields.MostDevices)
        {
            reader.Fault(node, place, string.Create(CultureInfo.InvariantCulture,
                $"{devices} devices are too {(devices < 1 ? "few" : "many")}; write a count from 1 to {JobFields.MostDevices}"));
            return null;
        }
        return Name(model, node, place) is { } known ? new(devices, known) : null;
    }

    private GpuRequest? Need(SpecNode.Mapping mapping, Place at)
    {
        var (count, share) = (1, 0);
        string? name = null;
        Bounds<Memory>? vram = null;
        Bounds<double>? bf16 = null;
        IReadOnlyList<string>? vendors = null;
        foreach (var (field, node) in reader.Fields(mapping, at.ToString(), JobFields.OfGpus))
        {
            var place = new Place(field, Alternative: at.Alternative);
            switch (field.Key)
            {
                case "name": name = reader.Filled(node, place) is { } text ? Name(text.Trim(), node, place) : null; break;
                case "count":
                    if (node is SpecNode.Scalar { Text: var given } && FieldReader.TryNumber(given, out var number) && number != Math.Floor(number))
                        share = Part(given.Trim(), node, place, "count: ") ?? 0;
                    else count = reader.Whole(node, place, 1, JobFields.MostDevices) ?? 1;
                    break;
                case "vram": vram = Range(node, place, reader.Amount); break;
                case "bf16": bf16 = Range(node, place, Speed); break;
                case "vendor": vendors = VendorList(node, place); break;
            }
        }
        return new(count, name, vram, bf16, vendors, share);
    }

    /// <summary>Thousandths of one device. Null, and reported, where the number is no part of one.</summary>
    private int? Part(string text, SpecNode node, Place place, string key)
    {
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var part) && part is > 0 and < 1)
        {
            if (part * 1000 == Math.Floor(part * 1000)) return (int)(part * 1000);
            reader.Fault(node, place, string.Create(CultureInfo.InvariantCulture,
                $"{Show.Plain(text)} is finer than thousandths of a device; write {key}{Math.Clamp(Math.Round(part, 3), 0.001m, 0.999m):0.###}"));
            return null;
        }
        reader.Fault(node, place, $"{Show.Plain(text)} is neither a whole number of devices nor a part of one; write {key}1 or {key}0.5");
        return null;
    }

    /// <summary>A model's name as the catalogue writes it: upper case, hyphens for blanks, without the vendor. Null, and reported, where it is none.</summary>
    private string? Name(string text, SpecNode node, Place place)
    {
        var words = text.ToUpperInvariant().Split((char[])[' ', '\t', '_'], StringSplitOptions.RemoveEmptyEntries);
        var name = string.Join('-', words.SkipWhile(w => IsVendor(w) && words.Length > 1));
        var right = WrongName(text, name);
        if (right is null) return name;
        reader.Fault(node, place, $"{Show.Quoted(text)} {right}");
        return null;
    }

    private static string? WrongName(string text, string name)
    {
        if (IsVendor(name)) return $"is a vendor, not a model; write gpus: {{vendor: {name.ToLowerInvariant()}}}";
        if (Memory.TryParse(text.TrimEnd('+'), out _)) return $"is an amount of memory, not a model; write gpus: {{vram: {Show.Plain(text)}}}";
        var x = name.IndexOf('X', StringComparison.Ordinal);
        if (x > 0 && x + 1 < name.Length && name.AsSpan(0, x).IndexOfAnyExceptInRange('0', '9') < 0)
            return $"has its count in front; write gpus: {Show.Plain(name[(x + 1)..].Trim('-'))}:{Show.Plain(name[..x])}";
        if (name.Length is 0 or > JobFields.LongestName || name is "NONE" || !name.Any(char.IsAsciiLetter) || !char.IsAsciiLetterOrDigit(name[0])
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '+' or '/'))
            return "is not the name of a model; write gpus: H100:8, a count, or a need such as {vram: 80GB+}";
        return null;
    }

    private static bool IsVendor(string word) => Vendors.Contains(word, StringComparer.OrdinalIgnoreCase);

    private delegate T? ReadOne<T>(string text, SpecNode node, Place place) where T : struct;

    private Bounds<T>? Range<T>(SpecNode node, Place place, ReadOne<T> read) where T : struct, IComparable<T>
    {
        if (reader.Filled(node, place) is not { } written) return null;
        var text = written.Trim();
        var dots = text.IndexOf("..", StringComparison.Ordinal);
        if (dots < 0) return read(text.EndsWith('+') ? text[..^1] : text, node, place) is { } least ? new(least, null) : null;

        var (low, high) = (text[..dots].Trim(), text[(dots + 2)..].Trim());
        if (low.Length == 0 && high.Length == 0)
        {
            reader.Fault(node, place, $"{Show.Quoted(text)} has no ends; write {place.Field.Example}");
            return null;
        }
        T? min = null, max = null;
        if (low.Length > 0 && (min = read(low, node, place)) is null) return null;
        if (high.Length > 0 && (max = read(high, node, place)) is null) return null;
        if (min is not { } from || max is not { } to || from.CompareTo(to) <= 0) return new(min, max);
        reader.Fault(node, place, $"{Show.Plain(low)} is more than {Show.Plain(high)}; write {Show.Plain(high)}..{Show.Plain(low)}");
        return null;
    }

    private double? Speed(string text, SpecNode node, Place place)
    {
        var number = text.Trim();
        foreach (var unit in (string[])["TFLOP/s", "TFLOPS"])
            if (number.EndsWith(unit, StringComparison.OrdinalIgnoreCase)) number = number[..^unit.Length].TrimEnd();
        if (FieldReader.TryNumber(number, out var speed) && speed is > 0 and <= 1e9) return speed;
        reader.Fault(node, place, FieldReader.TryNumber(number, out _)
            ? $"{Show.Plain(text)} TFLOP/s is out of reach; write {place.Field.Example}"
            : $"{Show.Quoted(text)} is not a number of TFLOP/s; write {place.Field.Example}");
        return null;
    }

    private List<string>? VendorList(SpecNode node, Place place)
    {
        IReadOnlyList<SpecNode> items = node is SpecNode.Sequence list ? list.Items : [node];
        var vendors = new List<string>(items.Count);
        foreach (var item in items)
        {
            if (reader.Filled(item, place) is not { } text) continue;
            if (Vendors.FirstOrDefault(v => v.Equals(text.Trim(), StringComparison.OrdinalIgnoreCase)) is { } vendor)
            {
                if (!vendors.Contains(vendor)) vendors.Add(vendor);
                else reader.Fault(item, place, $"{vendor} stands here twice; keep one");
                continue;
            }
            var near = Nearest.Of(text, Vendors) is { } guess ? $"did you mean {guess}?" : $"write {string.Join(", ", Vendors)}";
            reader.Fault(item, place, $"{Show.Quoted(text)} is no vendor that is known; {near}");
        }
        if (items.Count == 0) reader.Fault(node, place, $"is empty; write {place.Field.Example}, or leave it out");
        return vendors.Count > 0 ? vendors : null;
    }
}
