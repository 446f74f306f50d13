using System.Formats.Tar;
using System.IO.Compression;
using Puces.Core.Contract;

namespace Puces.Server.Blobs;

/// <summary>Looks through a gzip-packed tar archive without unpacking it.</summary>
internal static class ArchiveCheck
{
    /// <summary>Why the archive is refused; null where it is not.</summary>
    public static string? Error(Stream packed, BlobLimits limits, CancellationToken ct)
    {
        using var counted = new CountedStream(new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true), limits.Unpacked, ct);
        using var tar = new TarReader(counted, leaveOpen: true);
        try
        {
            for (var count = 0; tar.GetNextEntry() is { } entry;)
            {
                if (++count > limits.Entries) return $"it has more than {limits.Entries:N0} entries: leave generated files out with .pucesignore";
                if (EntryError(entry) is { } error) return error;
            }
            return null;
        }
        catch (TooLargeException)
        {
            return $"it holds more than {limits.Unpacked / (double)(1 << 30):0.##} GiB unpacked";
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException
            or OverflowException or NotSupportedException)
        {
            return $"it is damaged, or no gzip-packed tar archive: {e.Message}";
        }
    }

    private static string? EntryError(TarEntry entry)
    {
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) return null;
        if (ArchivePaths.Parts(entry.Name, entry.Name, out var error) is not { } parts) return error;
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                return null;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                return parts.Length == 0 ? "it holds an entry without a name" : null;
            case TarEntryType.SymbolicLink:
                return parts.Length == 0 ? "it holds an entry without a name" : ArchivePaths.LinkError(entry.Name, entry.LinkName, parts.Length - 1);
            case TarEntryType.HardLink:
                if (ArchivePaths.Parts(entry.LinkName, entry.Name, out error) is not { } target) return error;
                return target.Length == 0 || parts.Length == 0 ? $"'{ArchivePaths.Shown(entry.Name)}' is a link to nothing" : null;
            default:
                return $"'{ArchivePaths.Shown(entry.Name)}' is a {entry.EntryType}: only files, folders and links inside the archive are taken";
        }
    }

    private sealed class TooLargeException : IOException;

    /// <summary>Counts what comes out of the packing: a small file can hold terabytes of zeros.</summary>
    private sealed class CountedStream(Stream inner, long limit, CancellationToken ct) : Stream
    {
        private long _count;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => _count; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            ct.ThrowIfCancellationRequested();
            var read = inner.Read(buffer);
            _count += read;
            return _count > limit ? throw new TooLargeException() : read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
