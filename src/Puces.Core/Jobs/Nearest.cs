namespace Puces.Core.Jobs;

/// <summary>What someone may have meant who wrote something else.</summary>
public static class Nearest
{
    private const int LongestWord = 32;

    /// <summary>The key of that meaning in another tool, or the one fewest slips away; null where none is near.</summary>
    internal static string? Key(string written, IReadOnlyList<JobField> among)
    {
        var plain = written.Replace('-', '_');
        foreach (var field in among)
            if (plain.Equals(field.Key, StringComparison.OrdinalIgnoreCase)) return field.Key;
        foreach (var field in among)
            if (field.OtherNames.Contains(plain, StringComparer.OrdinalIgnoreCase)) return field.Key;
        return Of(written, among.Select(f => f.Key));
    }

    /// <summary>The word fewest slips away, the first of equals; null where more than a third of the letters would have to change.</summary>
    public static string? Of(string written, IEnumerable<string> among)
    {
        if (written.Length is 0 or > LongestWord) return null;
        string? best = null;
        var least = Math.Max(1, written.Length / 3) + 1;
        foreach (var word in among)
        {
            var slips = Slips(written, word);
            if (slips >= least || slips >= word.Length) continue;
            (best, least) = (word, slips);
        }
        return best;
    }

    /// <summary>Letters to add, drop, change or swap with the next one to come from one word to the other, whatever their case.</summary>
    private static int Slips(string a, string b)
    {
        Span<int> before = stackalloc int[LongestWord + 1], last = stackalloc int[LongestWord + 1], row = stackalloc int[LongestWord + 1];
        if (b.Length > LongestWord) return int.MaxValue;
        for (var j = 0; j <= b.Length; j++) last[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = Same(a[i - 1], b[j - 1]);
                row[j] = Math.Min(Math.Min(row[j - 1], last[j]) + 1, last[j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1])) row[j] = Math.Min(row[j], before[j - 2] + 1);
            }
            last.CopyTo(before);
            row.CopyTo(last);
        }
        return last[b.Length];
    }

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
