using System.Globalization;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>
/// Folders of ranks that are over, emptied, for others to be used for. File systems are slow to make files soon after others were
/// deleted (ext4 passes by every inode that was freed in the last five seconds), and short jobs do little else.
/// A rank's folder is made ready here and then moved to its place: it is there with its whole order, or it is not there.
/// </summary>
internal sealed class SpareFolders
{
    private const int Most = 64;
    private static readonly string[] Emptied = ["order.json", "state.json", "watcher", "setup.sh", "run.sh", "log.00000000000000000000"];

    private readonly string _path;
    private readonly Stack<string> _spare;
    private int _last;

    public SpareFolders(string path)
    {
        _path = path;
        Files.MakeFolder(path);
        _spare = new(Directory.EnumerateDirectories(path));
        foreach (var folder in _spare)
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) _last = Math.Max(_last, number);
    }

    /// <summary>Puts a folder with the order in the rank's place; false where the disk would not have it.</summary>
    public bool TryPlace(RankFolder rank, ReadOnlySpan<byte> order)
    {
        if (!_spare.TryPop(out var folder))
        {
            folder = Fresh();
            if (Libc.MakeFolder(folder) != 0) return false;
        }
        if (Files.TryWrite(new RankFolder(folder).Order, order) && Libc.Rename(folder, rank.Path) == 0) return true;
        Directory.Delete(folder, recursive: true);
        return false;
    }

    /// <summary>Takes back the folder of a rank that is over.</summary>
    public void TakeBack(RankFolder rank)
    {
        // What was in a container could write there: nothing of it is used again.
        if (_spare.Count >= Most || Directory.Exists(rank.Scratch))
        {
            Directory.Delete(rank.Path, recursive: true);
            return;
        }
        foreach (var file in Directory.EnumerateFiles(rank.Path))
        {
            var name = Path.GetFileName(file);
            if (Array.IndexOf(Emptied, name) >= 0) _ = Files.TryWrite(file, []);
            else if (name != "control") _ = Libc.Unlink(file);
        }
        var folder = Fresh();
        if (Libc.Rename(rank.Path, folder) == 0) _spare.Push(folder);
        else Directory.Delete(rank.Path, recursive: true);
    }

    private string Fresh() => Path.Combine(_path, (++_last).ToString(CultureInfo.InvariantCulture));
}
