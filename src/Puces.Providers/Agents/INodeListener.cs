using Puces.Core.Contract;

namespace Puces.Providers.Agents;

/// <summary>Hears what a node says. The calls for one node come one after another, each awaited, in the order of the news.</summary>
public interface INodeListener
{
    ValueTask HelloAsync(string node, FromNode.Hello hello);

    /// <summary>The connection has ended, or could not be made. What runs on the node is not affected.</summary>
    ValueTask DownAsync(string node, string why);

    /// <summary>Whether the engine knows of the connection that the node has now: until then nobody's term is renewed by it.</summary>
    bool Knows(string node);

    ValueTask ReportAsync(string node, RankReport rank);
    ValueTask LogAsync(string node, FromNode.Log log);

    /// <summary>Nothing of this tag is on the node.</summary>
    ValueTask GoneAsync(string node, string tag);

    ValueTask ProblemAsync(string node, string? tag, string message);
}
