using System.Globalization;

namespace Puces.Core.Units;

/// <summary>An amount of money in millionths of a unit of its currency (ISO 4217): sums are exact.</summary>
public readonly record struct Money(long Micros, string Currency)
{
    public decimal Amount => Micros / 1_000_000m;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Amount:0.00####} {Currency}");
}
