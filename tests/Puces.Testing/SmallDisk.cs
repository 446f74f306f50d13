using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// A file system of a few megabytes that may be filled. It is mounted where only a process of its own sees it, and gone with the test
/// process however that ends. Skips the test where mounting is not permitted.
/// </summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private readonly Process _keeper;
    private readonly string _place;

    private SmallDisk(Process keeper, string place) => (_keeper, _place) = (keeper, place);

    /// <summary>A folder on it; the way leads through the process that sees it.</summary>
    public string Folder => string.Create(CultureInfo.InvariantCulture, $"/proc/{_keeper.Id}/root{_place}/data");

    /// <summary>The same folder for a program that is started with <see cref="Inside"/> before it: some, such as SQLite, look behind every link.</summary>
    public string FolderInside => _place + "/data";

    public string[] Inside => ["nsenter", "-m", "-t", _keeper.Id.ToString(CultureInfo.InvariantCulture), "--"];

    private string Ballast => Path.Combine(Path.GetDirectoryName(Folder)!, "ballast");

    public static async Task<SmallDisk> MakeAsync(int mebibytes, CancellationToken ct)
    {
        var place = Directory.CreateTempSubdirectory("puces-disk-").FullName;
        const string script = "mount -t tmpfs -o size=\"$1\"m,mode=755 puces \"$0\" && mkdir \"$0/data\" && echo mounted && exec cat";
        var keeper = Process.Start(new ProcessStartInfo("unshare", ["-m", "sh", "-c", script, place, mebibytes.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        if (await keeper.StandardOutput.ReadLineAsync(ct) == "mounted") return new(keeper, place);
        var why = await keeper.StandardError.ReadToEndAsync(ct);
        keeper.Dispose();
        Directory.Delete(place);
        Assert.Skip($"a small file system cannot be mounted here: {why.Trim()}");
        return null!;
    }

    /// <summary>Takes all the room but a rest.</summary>
    public void Fill(int butBytes)
    {
        using var file = File.OpenHandle(Ballast, FileMode.OpenOrCreate, FileAccess.Write);
        var block = new byte[64 * 1024];
        for (var (at, size) = (RandomAccess.GetLength(file), block.Length); size >= 512;)
        {
            try
            {
                RandomAccess.Write(file, block.AsSpan(0, size), at);
                at += size;
            }
            catch (IOException)
            {
                at = RandomAccess.GetLength(file);
                size /= 2;
            }
        }
        RandomAccess.SetLength(file, Math.Max(0, RandomAccess.GetLength(file) - butBytes));
    }

    public void MakeRoom() => File.Delete(Ballast);

    public async ValueTask DisposeAsync()
    {
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
        _keeper.Dispose();
        Directory.Delete(_place);
    }
}
