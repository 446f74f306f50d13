using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Puces.Tests.Server;

/// <summary>Archives that must not be unpacked, by what is wrong with them.</summary>
internal static class EvilArchives
{
    public static byte[] Of(string name) => name switch
    {
        "up" => Pack(Text("../evil")),
        "up in the middle" => Pack(Text("a/../../evil")),
        "absolute" => Pack(Text("/tmp/puces-evil")),
        "link up" => Pack(Link("l", "../../x")),
        "absolute link" => Pack(Link("l", "/etc/passwd")),
        "link to nothing" => Pack(Link("l", ".."), Text("l/evil")),
        "through a link" => Pack(Link("l", "."), Text("l/evil")),
        "hard link up" => Pack(Link("h", "../x", TarEntryType.HardLink)),
        "device" => Pack(new PaxTarEntry(TarEntryType.CharacterDevice, "d") { DeviceMajor = 1, DeviceMinor = 3 }),
        "fifo" => Pack(new PaxTarEntry(TarEntryType.Fifo, "f")),
        "long name" => Pack(Text(new string('n', 300))),
        "bomb of entries" => Pack([.. Enumerable.Range(0, 200_001).Select(i => new UstarTarEntry(TarEntryType.Directory, "d"))]),
        "bomb of bytes" => Huge(),
        "not gzip" => "this is no archive at all"u8.ToArray(),
        "not tar" => Zip(Encoding.ASCII.GetBytes(new string('x', 2000))),
        "torn" => Pack(Text("a"), Text("b"))[..60],
        "right" => Pack(Text("a")),
        _ => throw new ArgumentException($"there is no archive '{name}'"),
    };

    public static string Sha(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static byte[] Pack(params TarEntry[] entries)
    {
        var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zip, TarEntryFormat.Pax))
            foreach (var entry in entries) tar.WriteEntry(entry);
        return packed.ToArray();
    }

    private static PaxTarEntry Text(string name) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("text"u8.ToArray()) };

    private static PaxTarEntry Link(string name, string target, TarEntryType type = TarEntryType.SymbolicLink) => new(type, name) { LinkName = target };

    /// <summary>A header that promises more than 64 GiB: what it says is enough, nothing of that follows.</summary>
    private static byte[] Huge()
    {
        var plain = new MemoryStream();
        using (var tar = new TarWriter(plain, TarEntryFormat.Ustar, leaveOpen: true)) tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "huge"));
        var header = plain.ToArray()[..512];
        // Sizes above 8 GiB are binary, with the highest bit set.
        header[124] = 0x80;
        for (var i = 125; i < 136; i++) header[i] = 0;
        header[130] = 0x20;
        header.AsSpan(148, 8).Fill((byte)' ');
        var sum = header.Sum(b => b);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        return Zip([.. header, .. new byte[2048]]);
    }

    private static byte[] Zip(byte[] plain)
    {
        var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) zip.Write(plain);
        return packed.ToArray();
    }
}
