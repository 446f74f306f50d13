using System.Globalization;

namespace Puces.Core.Units;

/// <summary>An amount of money in millionths of a unit of its currency (ISO 4217): sums are exact.</summary>
public readonly record struct Money(long Micros, string Currency)
{
    private static readonly (char Symbol, string Currency)[] Symbols = [('€', "EUR"), ('$', "USD"), ('£', "GBP"), ('¥', "JPY")];

    /// <summary>The largest amount that is read: a million million.</summary>
    public static readonly decimal Largest = 1_000_000_000_000m;

    public decimal Amount => Micros / 1_000_000m;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Amount:0.00####} {Currency}");

    /// <summary>Reads <c>200 EUR</c>, <c>EUR 200</c>, <c>200€</c> or <c>$49.90</c>; false where the currency is missing, or the amount has more than six decimals.</summary>
    public static bool TryParse(string text, out Money money)
    {
        money = default;
        var rest = text.AsSpan().Trim();
        if (rest.IsEmpty || !TakeCurrency(ref rest, out var currency)) return false;
        if (!decimal.TryParse(rest, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var amount)) return false;
        if (Math.Abs(amount) > Largest || amount * 1_000_000m % 1 != 0) return false;
        money = new((long)(amount * 1_000_000m), currency);
        return true;
    }

    private static bool TakeCurrency(ref ReadOnlySpan<char> text, out string currency)
    {
        foreach (var (symbol, code) in Symbols)
        {
            currency = code;
            if (text[0] == symbol) { text = text[1..].TrimStart(); return true; }
            if (text[^1] == symbol) { text = text[..^1].TrimEnd(); return true; }
        }
        currency = "";
        if (text.Length < 4) return false;
        if (IsCode(text[^3..])) { currency = text[^3..].ToString().ToUpperInvariant(); text = text[..^3].TrimEnd(); return true; }
        if (IsCode(text[..3])) { currency = text[..3].ToString().ToUpperInvariant(); text = text[3..].TrimStart(); return true; }
        return false;
    }

    private static bool IsCode(ReadOnlySpan<char> text) =>
        char.IsAsciiLetter(text[0]) && char.IsAsciiLetter(text[1]) && char.IsAsciiLetter(text[2]);
}
