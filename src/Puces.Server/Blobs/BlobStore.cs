using System.Buffers;
using System.Security.Cryptography;
using Puces.Core.Contract;

namespace Puces.Server.Blobs;

/// <param name="Packed">Bytes of an archive as it is sent.</param>
/// <param name="Unpacked">Bytes that it holds.</param>
/// <param name="Entries">Files, folders and links that it holds.</param>
internal sealed record BlobLimits(long Packed = 2L << 30, long Unpacked = 20L << 30, int Entries = 200_000);

/// <summary>What became of an upload.</summary>
internal abstract record BlobResult
{
    private BlobResult() { }
    public sealed record Stored : BlobResult;
    public sealed record AlreadyThere : BlobResult;
    public sealed record Refused(string Reason) : BlobResult;
}

/// <summary>Packed work directories and mounts, by SHA-256. What is under its name is whole, was looked through, and does not change.</summary>
internal sealed class BlobStore
{
    private const UnixFileMode Folders = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly BlobLimits _limits;

    public BlobStore(string dataFolder, BlobLimits? limits = null)
    {
        Folder = Path.Combine(dataFolder, "blobs");
        _limits = limits ?? new();
        Directory.CreateDirectory(Folder, Folders);
        // Uploads that an end of the daemon has cut off.
        foreach (var left in Directory.EnumerateFiles(Folder, "*.part", SearchOption.AllDirectories)) File.Delete(left);
    }

    /// <summary>Where the runners of this machine find them: <c>FF/SHA</c> below it.</summary>
    public string Folder { get; }

    public bool Has(string sha) => ArchivePaths.IsSha256(sha) && File.Exists(PathOf(sha));

    public async Task<BlobResult> PutAsync(string sha, Stream body, CancellationToken ct)
    {
        if (!ArchivePaths.IsSha256(sha)) return new BlobResult.Refused("its name is no SHA-256: 64 lower-case hexadecimal digits");
        if (Has(sha)) return new BlobResult.AlreadyThere();
        var folder = Path.GetDirectoryName(PathOf(sha))!;
        Directory.CreateDirectory(folder, Folders);
        var temporary = Path.Combine(folder, $"{sha}.{Guid.NewGuid():N}.part");
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0, UnixCreateMode = Private, Options = FileOptions.Asynchronous,
            };
            await using (var file = new FileStream(temporary, options))
            {
                if (await CopyAsync(body, file, ct) is not { } hash)
                    return new BlobResult.Refused($"it is larger than {_limits.Packed / (double)(1 << 30):0.##} GiB: leave large files out with .pucesignore");
                if (hash != sha) return new BlobResult.Refused($"what came has another SHA-256 than its name says: {hash}");
                file.Position = 0;
                // Unpacking keeps a thread busy: not one of those that answer requests.
                if (await Task.Run(() => ArchiveCheck.Error(file, _limits, ct), ct) is { } error) return new BlobResult.Refused(error);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, PathOf(sha), overwrite: true);
            SyncFolder(folder);
            return new BlobResult.Stored();
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Forgets one. Already gone is not an error.</summary>
    public void Delete(string sha)
    {
        if (Has(sha)) File.Delete(PathOf(sha));
    }

    private string PathOf(string sha) => Path.Combine(Folder, sha[..2], sha);

    private async Task<string?> CopyAsync(Stream body, FileStream file, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            var length = 0L;
            while (await body.ReadAsync(buffer, ct) is > 0 and var read)
            {
                if ((length += read) > _limits.Packed) return null;
                hash.AppendData(buffer, 0, read);
                await file.WriteAsync(buffer.AsMemory(0, read), ct);
            }
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The new name is on the disk too: a stored job may rely on it.</summary>
    private static void SyncFolder(string folder)
    {
        using var handle = File.OpenHandle(folder, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        RandomAccess.FlushToDisk(handle);
    }
}
