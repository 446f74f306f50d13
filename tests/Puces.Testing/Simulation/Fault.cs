namespace Puces.Testing.Simulation;

/// <summary>A promise that the simulation breaks on purpose, to show that <see cref="Invariants"/> would notice.</summary>
public enum Fault
{
    None,
    /// <summary>The daemon starts what it has decided, and stores it afterwards.</summary>
    EffectsBeforeCommit,
    /// <summary>An order that was decided before a node's last hello is still sent after it.</summary>
    OrdersOutliveHellos,
    /// <summary>The daemon takes a lost connection for the end of everything on the node.</summary>
    DownIsDead,
    /// <summary>A node forgets what has ended before the daemon has stored it.</summary>
    VerdictsAreForgotten,
    /// <summary>The daemon answers before it has stored.</summary>
    AnswersBeforeCommit,
    /// <summary>A node renews its terms by itself.</summary>
    TermsNeverEnd,
    /// <summary>Acknowledgements are never sent.</summary>
    NothingIsAcknowledged,
}
