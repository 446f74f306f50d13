using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Puces.Cli.Packing;

/// <summary>A packed tree and the name of its content.</summary>
/// <param name="Sha256">In lower-case hex.</param>
internal sealed record Archive(string Sha256, long Size);

/// <summary>
/// Writes a tree as tar.gz. Equal content gives equal bytes: entries in order, one owner, one date. The GNU format,
/// because .NET writes its own process id into the headers of the pax one.
/// </summary>
internal static class ArchiveWriter
{
    // Not the epoch: zip files, and so Python wheels, know no year before 1980.
    private static readonly DateTimeOffset OneDate = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // On a fast line the time goes into compression, most of it for the last few percent. Level 1 makes weights, which do not
    // shrink, 5 % longer than they are.
    private static readonly ZLibCompressionOptions Light = new() { CompressionLevel = 2 };

    /// <param name="done">Told the bytes of files that are packed so far.</param>
    public static Archive Write(Tree tree, Stream output, Action<long> done, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var counted = new HashingStream(output, hash);
        using (var gzip = new GZipStream(counted, Light, leaveOpen: true))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Gnu))
        {
            var packed = 0L;
            foreach (var entry in tree.Entries)
            {
                ct.ThrowIfCancellationRequested();
                WriteEntry(tar, entry, bytes => done(packed += bytes));
            }
        }
        return new(Convert.ToHexStringLower(hash.GetHashAndReset()), counted.Count);
    }

    private static void WriteEntry(TarWriter tar, TreeEntry entry, Action<long> done)
    {
        var (type, name) = entry.Facts.Kind switch
        {
            FileKind.Folder => (TarEntryType.Directory, entry.Name + "/"),
            FileKind.Link => (TarEntryType.SymbolicLink, entry.Name),
            _ => (TarEntryType.RegularFile, entry.Name),
        };
        var record = new GnuTarEntry(type, name)
        {
            ModificationTime = OneDate,
            AccessTime = OneDate,
            ChangeTime = OneDate,
            // A link's own mode means nothing, and differs between systems.
            Mode = type is TarEntryType.SymbolicLink ? (UnixFileMode)0b111_111_111 : entry.Facts.Mode,
        };
        if (entry.Target is { } target) record.LinkName = target;
        if (type is not TarEntryType.RegularFile)
        {
            tar.WriteEntry(record);
            return;
        }
        using var file = Open(entry.Path);
        using var exact = new ExactStream(file, entry, done);
        record.DataStream = exact;
        tar.WriteEntry(record);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new CommandException($"cannot read {path}: {e.Message}", "let your user read it, or name it in .pucesignore", cause: e);
        }
    }

    /// <summary>A file as long as it was when the tree was scanned: one that grows meanwhile must not break the archive.</summary>
    private sealed class ExactStream(FileStream file, TreeEntry entry, Action<long> done) : Stream
    {
        private long _left = entry.Facts.Size;

        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => entry.Facts.Size;
        public override long Position { get => Length - _left; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            if (_left == 0) return 0;
            var read = file.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
            if (read == 0) throw new CommandException($"{entry.Path} became shorter while it was packed", "try again once nothing writes to it, or name it in .pucesignore");
            _left -= read;
            done(read);
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    private sealed class HashingStream(Stream inner, IncrementalHash hash) : Stream
    {
        public long Count { get; private set; }
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => Count;
        public override long Position { get => Count; set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            hash.AppendData(buffer);
            inner.Write(buffer);
            Count += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
