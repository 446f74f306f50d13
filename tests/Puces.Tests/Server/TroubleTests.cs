using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

public sealed class TroubleTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_log_that_cannot_be_written_is_in_the_daemons_own_log_and_comes_once_it_can()
    {
        await using var daemon = new DaemonProcess();
        var blocked = Path.Combine(Directory.CreateDirectory(Path.Combine(daemon.Data, "logs")).FullName, "0");
        await File.WriteAllTextAsync(blocked, "no folder", Ct);
        await daemon.StartAsync(Ct);
        var job = await daemon.SubmitAsync("echo late", Ct);
        while (!(await File.ReadAllTextAsync(daemon.ErrorFile, Ct)).Contains($"the log of {job.Id}-1.0 cannot be written", StringComparison.Ordinal)) await Task.Delay(20, Ct);
        File.Delete(blocked);
        Assert.Equal("succeeded", (await daemon.EndAsync(job.Id, Ct)).Job.State);
        Assert.Contains(await daemon.LogAsync(job.Id, Ct), l => l.Text == "late");
    }

    [Fact]
    public async Task A_packed_folder_may_be_larger_than_any_other_body()
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        var packed = new MemoryStream();
        await using (var zip = new GZipStream(packed, CompressionLevel.NoCompression, leaveOpen: true))
        await using (var tar = new TarWriter(zip, TarEntryFormat.Pax))
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, "large") { DataStream = new MemoryStream(new byte[66 << 20]) }, Ct);
        Assert.True(packed.Length > 64 << 20);
        var sha = EvilArchives.Sha(packed.ToArray());
        foreach (var expected in (HttpStatusCode[])[HttpStatusCode.Created, HttpStatusCode.OK])
        {
            packed.Position = 0;
            using var reply = await daemon.Http.PutAsync($"api/v1/blobs/{sha}", new ByteArrayContent(packed.ToArray()), Ct);
            Assert.Equal(expected, reply.StatusCode);
        }
        using var head = await daemon.Http.SendAsync(new(HttpMethod.Head, $"api/v1/blobs/{sha}"), Ct);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
    }
}
