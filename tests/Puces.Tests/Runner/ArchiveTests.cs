using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Puces.Core.Contract;
using Puces.Runner.Attempt;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class ArchiveTests : RunnerSuite
{
    private static byte[] Pack(params TarEntry[] entries)
    {
        var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zip, TarEntryFormat.Pax))
            foreach (var entry in entries) tar.WriteEntry(entry);
        return packed.ToArray();
    }

    private static PaxTarEntry Text(string name, string text = "text", UnixFileMode mode = (UnixFileMode)0x1A4) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)), Mode = mode };

    private static PaxTarEntry Link(string name, string target, TarEntryType type = TarEntryType.SymbolicLink) => new(type, name) { LinkName = target };

    private string Store(byte[] packed)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(packed));
        Directory.CreateDirectory(Path.Combine(Root, "blobs", hash[..2]));
        File.WriteAllBytes(Path.Combine(Root, "blobs", hash[..2], hash), packed);
        return hash;
    }

    [Fact]
    public void A_work_directory_and_mounts_are_unpacked_and_outputs_of_earlier_attempts_stay()
    {
        var work = Store(Pack(Text("a.sh", "echo from a", (UnixFileMode)0x1ED), Text("deep/b", "b"), Link("deep/l", "../a.sh")));
        var mount = Store(Pack(Text("data/x", "x"), Text("data/y", "y")));
        var file = Store(Pack(Text("b.txt", "one file")));
        var agent = Agent();
        var mounts = new Dictionary<string, string> { ["in/data"] = mount, ["in/b.txt"] = file };
        agent.Run(Order(1, "./a.sh; ./deep/l; cat deep/b in/data/x in/b.txt; echo out > result", workdir: work, mounts: mounts));
        Assert.Equal(["from a", "from a"], agent.Lines("1-1.0", 'o'));
        Assert.Equal(["bxone file"], agent.Lines("1-1.0", 'O'));
        agent.Run(Order(1, "cat result", number: 2, workdir: work, mounts: mounts));
        Assert.Equal(["out"], agent.Lines("1-2.0", 'o'));
    }

    [Fact]
    public void A_missing_blob_is_a_refusal_that_names_it()
    {
        var report = Agent().Run(Order(1, "true", workdir: new string('a', 64)));
        Assert.Equal(RankPhase.Refused, report.Phase);
        Assert.Equal($"the work directory is not on this node: blob {new string('a', 64)} is missing", report.Detail);
    }

    [Fact]
    public void A_mount_with_other_names_in_it_is_refused()
    {
        var report = Agent().Run(Order(1, "true", mounts: new() { ["data"] = Store(Pack(Text("other/x"))) }));
        Assert.Equal("mount 'data' was not unpacked: 'other/x' does not lie below 'data', where it is to be mounted", report.Detail);
    }

    public static TheoryData<string, byte[]> Malicious => new()
    {
        { "up", Pack(Text("../evil")) },
        { "up in the middle", Pack(Text("a/../../evil")) },
        { "absolute", Pack(Text("/tmp/evil")) },
        { "absolute link", Pack(Link("l", "/etc/passwd")) },
        { "link outside", Pack(Link("l", "../x")) },
        { "deep link outside", Pack(Link("a/l", "../../x")) },
        { "down and up", Pack(Link("l", "a/../../x")) },
        { "through a link", Pack(Link("l", "."), Text("l/evil")) },
        { "hard link outside", Pack(Link("h", "../x", TarEntryType.HardLink)) },
        { "absolute hard link", Pack(Link("h", "/etc/passwd", TarEntryType.HardLink)) },
        { "hard link to a link", Pack(Link("l", "x"), Link("h", "l", TarEntryType.HardLink)) },
        { "hard link through a link", Pack(Link("l", "."), Link("h", "l/x", TarEntryType.HardLink)) },
        { "fifo", Pack(new PaxTarEntry(TarEntryType.Fifo, "f")) },
        { "device", Pack(new PaxTarEntry(TarEntryType.CharacterDevice, "d")) },
        { "no archive", Encoding.UTF8.GetBytes("hello") },
        { "cut short", Pack(Text("a", new string('x', 100_000)))[..90] },
    };

    [Theory, MemberData(nameof(Malicious), DisableDiscoveryEnumeration = true)]
    public void What_would_leave_the_folder_is_refused(string what, byte[] packed)
    {
        var folder = Path.Combine(Root, "inner");
        Assert.Throws<ArchiveException>(() => Archive.Unpack(new MemoryStream(packed), folder));
        Assert.False(File.Exists(Path.Combine(Root, "evil")), what);
        Assert.Equal([folder], Directory.EnumerateFileSystemEntries(Root));
    }

    [Fact]
    public void A_damaged_archive_is_refused_and_nothing_else_happens()
    {
        var whole = Pack(Text("a", "some text"), Text("b/c"), Link("b/l", "c"));
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Sample((at, value) =>
        {
            var damaged = whole.ToArray();
            damaged[at] = value;
            try
            {
                Archive.Unpack(new MemoryStream(damaged), Path.Combine(Root, "fuzz"));
            }
            catch (ArchiveException)
            {
            }
        }, iter: 2000, threads: 1);
    }
}
