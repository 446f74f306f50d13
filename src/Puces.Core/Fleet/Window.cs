using System.Globalization;
using System.Text.Json.Serialization;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>
/// A time in which a pool, or one node of it, is closed: for maintenance, before its capacity begins, or after it ends. Windows are kept
/// when they are over or removed, since a replay needs to know what was known when.
/// </summary>
/// <param name="Number">Counts from 1; never given twice.</param>
/// <param name="Note">Why, for people; may be empty.</param>
/// <param name="Announced">Since when it is known.</param>
/// <param name="Node">The one node that it is about, as <c>pool/name</c>; null for all of the pool.</param>
/// <param name="From">Null where it has not been open before.</param>
/// <param name="To">The first moment at which it is open again; null for never.</param>
/// <param name="Removed">Since when it is not believed any more; null where it still is.</param>
public sealed record Window(
    int Number, string Pool, string Note, DateTimeOffset Announced, string? Node = null, DateTimeOffset? From = null, DateTimeOffset? To = null,
    DateTimeOffset? Removed = null)
{
    /// <summary>What it is about: a node, or a whole pool.</summary>
    [JsonIgnore]
    public string Target => Node ?? "pool " + Pool;

    public bool Covers(string pool, string node) => Removed is null && (Node is null ? Pool == pool : Node == node);

    /// <summary>It is closed at that moment.</summary>
    public bool IsAt(DateTimeOffset moment) => Removed is null && !(moment < From) && !(moment >= To);

    /// <summary>It is not over yet, and still believed.</summary>
    public bool IsAhead(DateTimeOffset moment) => Removed is null && !(moment >= To);

    /// <summary>Such as <c>until Tue 24 Nov 12:00 UTC: new switch</c>, to be said behind <c>closed</c>.</summary>
    [JsonIgnore]
    public string Until => (To is { } to ? "until " + Moments.Text(to) : "for good") + (Note.Length > 0 ? ": " + Note : "");

    /// <summary>Such as <c>office/a is closed from Tue 24 Nov 08:00 UTC until Tue 24 Nov 12:00 UTC: new switch</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Target} is closed {(From is { } from ? $"from {Moments.Text(from)} " : "")}{Until}");
}
