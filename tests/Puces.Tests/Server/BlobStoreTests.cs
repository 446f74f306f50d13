using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Puces.Server.Blobs;
using Xunit;

namespace Puces.Tests.Server;

public sealed class BlobStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("puces-blobs-").FullName;
    private readonly BlobStore _store;

    public BlobStoreTests() => _store = new(_folder);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static byte[] Pack(params TarEntry[] entries)
    {
        var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zip, TarEntryFormat.Pax))
            foreach (var entry in entries) tar.WriteEntry(entry);
        return packed.ToArray();
    }

    private static PaxTarEntry Text(string name) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("text"u8.ToArray()) };

    private static string Sha(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private async Task<string> RefusalAsync(byte[] body, string? sha = null)
    {
        var refused = Assert.IsType<BlobResult.Refused>(await _store.PutAsync(sha ?? Sha(body), new MemoryStream(body), Ct));
        Assert.Empty(Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories));
        return refused.Reason;
    }

    [Fact]
    public async Task An_archive_is_stored_under_its_hash_and_a_second_time_is_there_already()
    {
        var body = Pack(Text("a"), new PaxTarEntry(TarEntryType.SymbolicLink, "d/l") { LinkName = "../a" });
        Assert.False(_store.Has(Sha(body)));
        Assert.IsType<BlobResult.Stored>(await _store.PutAsync(Sha(body), new MemoryStream(body), Ct));
        Assert.IsType<BlobResult.AlreadyThere>(await _store.PutAsync(Sha(body), new MemoryStream(body), Ct));
        Assert.True(_store.Has(Sha(body)));
        Assert.Equal(body, await File.ReadAllBytesAsync(Path.Combine(_folder, Sha(body)[..2], Sha(body)), Ct));
    }

    [Fact]
    public async Task A_body_that_is_not_what_its_name_says_is_refused()
    {
        var body = Pack(Text("a"));
        Assert.Contains("SHA-256", await RefusalAsync(body, new string('a', 64)), StringComparison.Ordinal);
        foreach (var name in (string[])["../../etc/passwd", "", Sha(body).ToUpperInvariant(), Sha(body)[1..]])
        {
            Assert.Contains("SHA-256", await RefusalAsync(body, name), StringComparison.Ordinal);
            Assert.False(_store.Has(name));
        }
    }

    [Theory]
    [InlineData("/etc/passwd", "absolute")]
    [InlineData("a/../../b", "'..'")]
    public async Task A_name_that_leads_outside_is_refused(string name, string why) =>
        Assert.Contains(why, await RefusalAsync(Pack(Text(name))), StringComparison.Ordinal);

    [Theory]
    [InlineData("/etc", "absolute")]
    [InlineData("../../x", "outside")]
    public async Task A_link_that_leads_outside_is_refused(string target, string why) =>
        Assert.Contains(why, await RefusalAsync(Pack(new PaxTarEntry(TarEntryType.SymbolicLink, "d/l") { LinkName = target })), StringComparison.Ordinal);

    [Fact]
    public async Task A_name_longer_than_a_disk_takes_is_refused()
    {
        Assert.Contains("too long", await RefusalAsync(Pack(Text(new string('é', 128)))), StringComparison.Ordinal);
        Assert.Contains("too long", await RefusalAsync(Pack(Text(string.Concat(Enumerable.Repeat("folder/", 500)) + "a"))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Devices_and_pipes_are_refused() =>
        Assert.Contains("Fifo", await RefusalAsync(Pack(new PaxTarEntry(TarEntryType.Fifo, "pipe"))), StringComparison.Ordinal);

    [Fact]
    public async Task What_is_no_archive_or_a_torn_one_is_refused()
    {
        await RefusalAsync(Encoding.ASCII.GetBytes("no archive at all"));
        var noise = new byte[200_000];
        new Random(7).NextBytes(noise);
        var whole = Pack(new PaxTarEntry(TarEntryType.RegularFile, "noise") { DataStream = new MemoryStream(noise) });
        await RefusalAsync(whole[..(whole.Length / 2)]);
    }

    [Fact]
    public async Task An_upload_that_breaks_off_leaves_nothing()
    {
        using var broken = new CancellationTokenSource();
        await broken.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _store.PutAsync(new string('a', 64), new MemoryStream(Pack(Text("a"))), broken.Token));
        Assert.Empty(Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void What_a_crash_has_left_of_uploads_is_cleared()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "aa"));
        File.WriteAllText(Path.Combine(_folder, "aa", "aa.1.part"), "half");
        _store.ClearLeftovers();
        Assert.Empty(Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories));
    }
}
