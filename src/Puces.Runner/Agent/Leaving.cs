using System.Text;

namespace Puces.Runner.Agent;

/// <summary>The end of a machine's time: nothing starts there any more, and what runs is asked to end and to save itself.</summary>
internal sealed class Leaving(Layout layout)
{
    private const int LookMs = 200, MostUnheardMs = 10_000;

    private readonly List<HeldRank> _stopped = [];
    private bool _isSaid;

    /// <summary>May be called again: where a disk was full, it is written then.</summary>
    public void Stop(string why)
    {
        if (!_isSaid)
        {
            if (!Files.TryWrite(layout.Over, Encoding.UTF8.GetBytes(why))) return;
            _isSaid = true;
            foreach (var path in Directory.EnumerateDirectories(layout.Ranks))
            {
                var rank = new HeldRank(new(path));
                rank.Look();
                rank.Stop(why);
                _stopped.Add(rank);
            }
        }
        foreach (var rank in _stopped) rank.AskToStop();
    }

    /// <summary>Nothing of any rank runs; what a dead watcher has left is ended, since below nobody the scheduler would not find it.</summary>
    public bool IsClear() => Directory.EnumerateDirectories(layout.Ranks).Select(path => new RankFolder(path)).All(rank => !Watchers.IsAlive(rank) && Watchers.ClearLeftovers(rank));

    /// <summary>
    /// Stops all ranks of a machine whose disk goes with it, and ends when none runs, the daemon has the verdicts (or has not asked for them in ten
    /// seconds) and nothing is being sent to it.
    /// </summary>
    public static int Serve(string why, string root, string blobs)
    {
        var layout = new Layout(Path.GetFullPath(root), Path.GetFullPath(blobs));
        foreach (var needed in (string[])[layout.Root, layout.Ranks]) Directory.CreateDirectory(needed);
        var leaving = new Leaving(layout);
        for (leaving.Stop(why); !leaving.IsClear(); leaving.Stop(why)) Thread.Sleep(LookMs);
        for (var since = Environment.TickCount64; Environment.TickCount64 - since < MostUnheardMs && Directory.EnumerateDirectories(layout.Ranks).Any();) Thread.Sleep(LookMs);
        while (Transfers.IsSending(layout)) Thread.Sleep(LookMs);
        return 0;
    }
}
