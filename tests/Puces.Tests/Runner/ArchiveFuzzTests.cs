using System.Formats.Tar;
using System.IO.Compression;
using Puces.Core.Contract;
using Puces.Runner.Attempt;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>Archives damaged below their checksums: whatever they hold, it is refused, or it stays in the folder.</summary>
public sealed class ArchiveFuzzTests : IDisposable
{
    private const int Inputs = 1500;

    private static readonly string[] Paths = ["../", "/", "..", "a/../../", "//", "./", "\0", "l/", "\u00e9", ".", "%2e%2e/"];

    private static readonly int[] Fields = [0, 100, 124, 156, 157, 345];

    private readonly string _root = Directory.CreateTempSubdirectory("puces-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_damaged_archive_writes_and_points_to_nothing_outside(int seed)
    {
        var random = new Random(seed);
        var (good, taken) = (Tar(), 0);
        for (var i = 0; i < Inputs; i++)
        {
            var (zip, folder) = (Zip(Mutate(good, random)), Path.Combine(_root, "in"));
            try
            {
                PackedArchive.Check(new MemoryStream(zip));
                Archive.Unpack(new MemoryStream(zip), folder);
                taken++;
            }
            catch (ArchiveException)
            {
            }
            catch (IOException)
            {
                // Names that this disk does not take: nothing is outside either way.
            }
            Assert.Equal([folder], Directory.EnumerateFileSystemEntries(_root).DefaultIfEmpty(folder));
            if (Directory.Exists(folder)) AssertInside(folder, $"seed {seed}, input {i}");
        }
        Assert.InRange(taken, 10, Inputs - 10);
    }

    private static void AssertInside(string folder, string which)
    {
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            if (entry.LinkTarget is not { } target) continue;
            var end = Path.GetFullPath(target, Path.GetDirectoryName(entry.FullName)!);
            Assert.True(end == folder || end.StartsWith(folder + "/", StringComparison.Ordinal), $"{which}: {entry.FullName} leads to {end}");
        }
        Directory.Delete(folder, recursive: true);
    }

    private static byte[] Mutate(byte[] good, Random random)
    {
        List<byte> bytes = [.. good];
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveRange(at, Math.Min(random.Next(1, 600), bytes.Count - at)); break;
                case 2: bytes.InsertRange(at, bytes.Skip(random.Next(good.Length / 512) * 512).Take(512).ToArray()); break;
                // A field of a header, by its place in it: name, mode, size, kind, target, prefix.
                case 3: Write(bytes, at / 512 * 512 + Fields[random.Next(Fields.Length)], Paths[random.Next(Paths.Length)]); break;
                case 4: Write(bytes, at / 512 * 512 + 156, "0123456789xgLKVSD"[random.Next(17)].ToString()); break;
                default: Write(bytes, at / 512 * 512 + (random.Next(2) == 0 ? 0 : 157), Paths[random.Next(Paths.Length)]); break;
            }
        }
        // What a person with bad intent would do as well: the headers' sums are right.
        for (var at = 0; at + 512 <= bytes.Count; at += 512)
            if (bytes[at + 257] == 'u' && random.Next(10) > 0) Sum(bytes, at);
        return [.. bytes];
    }

    private static void Write(List<byte> bytes, int at, string text)
    {
        for (var i = 0; i < text.Length && at + i < bytes.Count; i++) bytes[at + i] = (byte)text[i];
    }

    private static void Sum(List<byte> bytes, int at)
    {
        Write(bytes, at + 148, "        ");
        var sum = 0;
        for (var i = 0; i < 512; i++) sum += bytes[at + i];
        Write(bytes, at + 148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
    }

    private static byte[] Tar()
    {
        var plain = new MemoryStream();
        using (var tar = new TarWriter(plain, TarEntryFormat.Ustar, leaveOpen: true))
        {
            tar.WriteEntry(new UstarTarEntry(TarEntryType.Directory, "d"));
            tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "d/file") { DataStream = new MemoryStream(new byte[700]) });
            tar.WriteEntry(new UstarTarEntry(TarEntryType.SymbolicLink, "d/l") { LinkName = "../a" });
            tar.WriteEntry(new UstarTarEntry(TarEntryType.HardLink, "h") { LinkName = "d/file" });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "a/" + new string('p', 120)) { DataStream = new MemoryStream("text"u8.ToArray()) });
        }
        return plain.ToArray();
    }

    private static byte[] Zip(byte[] plain)
    {
        var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) zip.Write(plain);
        return packed.ToArray();
    }
}
