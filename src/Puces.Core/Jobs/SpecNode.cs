namespace Puces.Core.Jobs;

/// <summary>Where a node was written: line and column from 1, or 0 where unknown; or the command-line option that gave it.</summary>
public readonly record struct SpecMark(int Line, int Column, string? Option = null);

/// <summary>
/// A job file as parsed, before its fields mean anything: YAML, JSON and the command line all become this.
/// Scalars are text, so that <c>NO</c> is a country and <c>1:30</c> no number, whatever YAML thinks of them.
/// </summary>
public abstract record SpecNode(SpecMark Mark)
{
    /// <summary>Keys in the order of the file; a key may stand there twice, which the binder reports.</summary>
    public sealed record Mapping(SpecMark Mark, IReadOnlyList<SpecEntry> Entries) : SpecNode(Mark);

    public sealed record Sequence(SpecMark Mark, IReadOnlyList<SpecNode> Items) : SpecNode(Mark);

    /// <param name="IsQuoted">It was surely meant as text: quoted, or a block.</param>
    public sealed record Scalar(SpecMark Mark, string Text, bool IsQuoted) : SpecNode(Mark);

    public sealed record Null(SpecMark Mark) : SpecNode(Mark);
}

/// <summary>A key of a mapping, where it stands, and its value.</summary>
public readonly record struct SpecEntry(string Key, SpecMark Mark, SpecNode Value);
