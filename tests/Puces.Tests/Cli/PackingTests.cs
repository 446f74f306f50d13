using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using Puces.Cli;
using Puces.Cli.Packing;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Cli;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class PackingTests : IDisposable
{
    private static readonly DateTimeOffset Later = DateTimeOffset.UtcNow.AddMinutes(1);
    private readonly Desk _desk = new();

    [Fact]
    public void Equal_content_gives_equal_bytes_whatever_its_dates_and_place()
    {
        using var other = new Desk();
        foreach (var desk in (Desk[])[_desk, other])
        {
            desk.Write("b.txt", "two");
            desk.Write("a/a.txt", "one");
            desk.Write("a/" + new string('n', 150) + ".txt", "long name");
        }
        File.SetLastWriteTimeUtc(other.Write("b.txt", "two"), new(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        var (first, second) = (Pack(_desk.Folder), Pack(other.Folder));
        Assert.Equal(first.Archive, second.Archive);
        Assert.Equal(first.Bytes, second.Bytes);
    }

    [Fact]
    public void The_executable_bit_and_the_order_of_names_are_kept()
    {
        File.SetUnixFileMode(_desk.Write("run.sh", "#!/bin/sh\n"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _desk.Write("B.txt", "x");
        _desk.Write("a/x.txt", "x");
        Directory.CreateDirectory(Path.Combine(_desk.Folder, "empty"));
        var entries = Unpack(Pack(_desk.Folder).Bytes);
        Assert.Equal(["B.txt", "a/", "a/x.txt", "empty/", "run.sh"], entries.Select(e => e.Name));
        Assert.True(entries[^1].Mode.HasFlag(UnixFileMode.UserExecute));
        Assert.All(entries, e => Assert.Equal((0, 0), (e.Uid, e.Gid)));
    }

    [Fact]
    public void A_mounts_entries_begin_with_the_last_part_of_its_path()
    {
        _desk.Write("set/x.txt", "x");
        Assert.Equal(["data/", "data/x.txt"], Unpack(Pack(Path.Combine(_desk.Folder, "set"), "data").Bytes).Select(e => e.Name));
        Assert.Equal(["y.txt"], Unpack(Pack(Path.Combine(_desk.Folder, "set/x.txt"), "y.txt").Bytes).Select(e => e.Name));
    }

    [Fact]
    public void A_link_inside_stays_a_link_and_an_absolute_one_becomes_relative()
    {
        var file = _desk.Write("a/x.txt", "x");
        File.CreateSymbolicLink(Path.Combine(_desk.Folder, "near"), "a/x.txt");
        File.CreateSymbolicLink(Path.Combine(_desk.Folder, "a/far"), file);
        var links = Unpack(Pack(_desk.Folder).Bytes).Where(e => e.EntryType is TarEntryType.SymbolicLink).ToDictionary(e => e.Name, e => e.LinkName);
        Assert.Equal("a/x.txt", links["near"]);
        Assert.Equal("x.txt", links["a/far"]);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../outside")]
    public void A_link_that_leads_out_is_an_error_that_names_it(string target)
    {
        File.CreateSymbolicLink(Path.Combine(_desk.Folder, "out"), target);
        var error = Assert.Throws<CommandException>(() => Pack(_desk.Folder));
        Assert.Contains(Path.Combine(_desk.Folder, "out"), error.Message, StringComparison.Ordinal);
        Assert.Contains(".pucesignore", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipe_is_left_out_and_named()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux says what is a pipe");
        _desk.Write("a.txt", "x");
        using (var made = Process.Start("mkfifo", Path.Combine(_desk.Folder, "pipe"))) made.WaitForExit();
        var tree = Tree.Scan(_desk.Folder, "", true, []);
        Assert.Equal(["a.txt"], tree.Entries.Select(e => e.Name));
        Assert.Equal([Path.Combine(_desk.Folder, "pipe")], tree.Skipped);
    }

    [Fact]
    public void A_fingerprint_changes_with_the_content_and_is_not_given_while_files_are_fresh()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux says when a file has changed");
        var path = _desk.Write("a.txt", "one");
        Assert.Null(Tree.Scan(_desk.Folder, "", true, []).Fingerprint(DateTimeOffset.UtcNow));
        var first = Tree.Scan(_desk.Folder, "", true, []).Fingerprint(Later);
        Assert.Equal(first, Tree.Scan(_desk.Folder, "", true, []).Fingerprint(Later));
        var before = File.GetLastWriteTimeUtc(path);
        File.WriteAllText(path, "two");
        File.SetLastWriteTimeUtc(path, before);
        Assert.NotEqual(first, Tree.Scan(_desk.Folder, "", true, []).Fingerprint(Later));
    }

    [Fact]
    public async Task An_unchanged_work_directory_is_sent_once()
    {
        var world = new FakeWorld { OnSubmit = j => { j.Start(); j.End(0); } };
        await using var daemon = new FakeDaemon(world);
        await daemon.StartAsync(0, TestContext.Current.CancellationToken);
        _desk.Use(daemon, world.Token);
        _desk.Write("train.py", "print(1)");
        for (var i = 0; i < 2; i++) Assert.Equal(0, (await _desk.RunAsync("submit", "--", "python", "train.py")).Code);
        Assert.Single(world.Requests, r => r.StartsWith("PUT /api/v1/blobs/", StringComparison.Ordinal));
        Assert.Equal(2, world.Jobs.Count(j => j.Request.Workdir == world.Blobs.Keys.Single()));
    }

    [Fact]
    public async Task Too_much_to_send_is_refused_with_what_is_biggest()
    {
        _desk.Variables["PUCES_URL"] = "http://127.0.0.1:9";
        _desk.Variables["PUCES_MAX_WORKDIR"] = "10KB";
        _desk.Write("model.bin", new('x', 20_000));
        var outcome = await _desk.RunAsync("submit", "--", "true");
        Assert.Equal(1, outcome.Code);
        Assert.Contains("20 kB, more than 10 kB; most of it is model.bin (20 kB)", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(".pucesignore", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _desk.Dispose();

    private static (Archive Archive, byte[] Bytes) Pack(string folder, string prefix = "")
    {
        var bytes = new MemoryStream();
        var archive = ArchiveWriter.Write(Tree.Scan(folder, prefix, prefix.Length == 0, []), bytes, _ => { }, CancellationToken.None);
        Assert.Equal(bytes.Length, archive.Size);
        return (archive, bytes.ToArray());
    }

    private static List<TarEntry> Unpack(byte[] bytes)
    {
        using var tar = new TarReader(new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress));
        var entries = new List<TarEntry>();
        while (tar.GetNextEntry(copyData: true) is { } entry) entries.Add(entry);
        return entries;
    }
}
