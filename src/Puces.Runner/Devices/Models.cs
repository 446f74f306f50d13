namespace Puces.Runner.Devices;

/// <summary>From what a driver calls a device to the name that people ask for it by.</summary>
internal static class Models
{
    private static readonly string[] Makers = ["NVIDIA", "AMD", "Intel", "(R)", "(TM)", "Tesla", "Quadro", "GeForce", "Radeon", "Instinct", "Corporation"];

    /// <summary>
    /// <c>NVIDIA A100-SXM4-40GB MIG 1g.5gb</c>, a MIG instance, is an <c>A100-1G.5GB</c>;
    /// <c>NVIDIA H100 80GB HBM3</c> is an <c>H100</c>, <c>NVIDIA GeForce RTX 4090</c> an <c>RTX4090</c>, <c>AMD Instinct MI300X</c> an <c>MI300X</c>.
    /// </summary>
    public static string Normalise(string name)
    {
        if (name.IndexOf(" MIG ", StringComparison.Ordinal) is > 0 and var mig)
            return $"{Normalise(name[..mig])}-{name[(mig + 5)..].Trim().ToUpperInvariant()}";
        foreach (var maker in Makers) name = name.Replace(maker, " ", StringComparison.OrdinalIgnoreCase);
        var words = name.Split([' ', '-', '_', '/'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0) return "unknown";
        var first = words[0];
        // A family and its number are one name: RTX 4090, GTX 1080 Ti, RTX A6000, Max 1550, Arc A770.
        if (words.Length > 1 && !first.Any(char.IsAsciiDigit))
        {
            var family = first is "Data" && words.Contains("Max") ? "Max" : first;
            var at = Array.FindIndex(words, word => word.Any(char.IsAsciiDigit) && !IsDetail(word));
            if (at < 0) return string.Concat(words);
            first = family + words[at] + Suffix(words, at + 1);
            return first;
        }
        return first + Suffix(words, 1);
    }

    /// <summary>Words after the number that name another device, not a form of the same.</summary>
    private static string Suffix(string[] words, int at) => string.Concat(words.Skip(at).TakeWhile(word =>
        word.Equals("Ti", StringComparison.OrdinalIgnoreCase) || word.Equals("SUPER", StringComparison.OrdinalIgnoreCase)
        || word is "Ada" or "NVL" or "XT" or "XTX" or "PRO"));

    private static bool IsDetail(string word) => word.EndsWith("GB", StringComparison.OrdinalIgnoreCase) || word.StartsWith("HBM", StringComparison.Ordinal);
}
