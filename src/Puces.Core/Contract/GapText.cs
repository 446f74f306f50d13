using System.Globalization;

namespace Puces.Core.Contract;

/// <summary>How what is free lies, in words: CLI and pages say the same.</summary>
public static class GapText
{
    /// <summary>What is left of devices that are held in parts, such as <c> + 0.5 + 0.25</c>; empty where none is.</summary>
    public static string Parts(NodeView node) => string.Concat((node.FreeParts ?? []).Where(p => p > 0).Select(p => string.Create(CultureInfo.InvariantCulture, $" + {p:0.###}")));

    /// <summary>Such as <c>, 25 % of it on nodes used in part; the largest job that would start now has 4 on one node, 2 × 4 over nodes</c>; empty where nothing is free.</summary>
    public static string Of(GapView gap)
    {
        if (gap.Free == 0) return "";
        var scattered = string.Create(CultureInfo.InvariantCulture, $", {gap.Fragmentation * 100:0} % of it on nodes used in part; ");
        if (gap.OnOneNode == 0) return scattered + "no job would start on it now";
        var over = gap.OverNodes > 1 ? $", over nodes {gap.OverNodes} × {gap.EachNode}" : "";
        return $"{scattered}the largest job that would start now: {gap.OnOneNode} on one node{over}";
    }
}
