using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Engine;

/// <summary>The current attempt of a live job: what is known of each rank.</summary>
internal sealed class LiveAttempt(AttemptRecord record, Allocation allocation)
{
    public AttemptRecord Record { get; set; } = record;
    public Allocation Allocation { get; } = allocation;
    public Rank[] Ranks { get; } = [.. allocation.Shares.Select(s => new Rank(s.Node))];

    public bool IsRunning => Array.TrueForAll(Ranks, r => r.IsStarted || r.IsOver);
    public bool IsOver => Array.TrueForAll(Ranks, r => r.IsOver);

    /// <summary>One rank: begun, or gone with a verdict or with evidence.</summary>
    internal sealed class Rank(string node)
    {
        public string Node { get; } = node;
        public bool IsStarted { get; set; }
        public bool IsOver { get; set; }
        public Verdict? Verdict { get; set; }
        public string? Evidence { get; set; }
        /// <summary>It never began, because the node would not.</summary>
        public bool IsRefused { get; set; }
        /// <summary>When the world heard of its end: decides which of a gang fell first.</summary>
        public int Order { get; set; }
        public bool IsBad => IsOver && Verdict is not { ExitCode: 0, Cause: ExitCause.Exit };
    }
}
