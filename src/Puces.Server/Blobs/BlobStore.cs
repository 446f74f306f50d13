using System.Security.Cryptography;
using Puces.Core.Contract;

namespace Puces.Server.Blobs;

/// <summary>What became of an upload.</summary>
public abstract record BlobResult
{
    private BlobResult() { }
    public sealed record Stored : BlobResult;
    public sealed record AlreadyThere : BlobResult;
    public sealed record Refused(string Reason) : BlobResult;
    /// <summary>Nothing is wrong with it; the disk does not take it.</summary>
    public sealed record NotStored(string Reason) : BlobResult;
}

/// <summary>
/// Packed work directories, each under the SHA-256 of its bytes: <c>folder/first two digits/digest</c>. What is not a safe tar.gz is
/// refused before anything can unpack it.
/// </summary>
public sealed class BlobStore(string folder)
{
    public bool Has(string sha) => IsDigest(sha) && File.Exists(PathOf(sha));

    /// <summary>Stores an upload, on disk before it returns. Nothing stays of one that is refused or broken off.</summary>
    public async Task<BlobResult> PutAsync(string sha, Stream body, CancellationToken ct)
    {
        if (!IsDigest(sha)) return new BlobResult.Refused($"\"{sha}\" is not a SHA-256 in 64 lower-case hexadecimal digits");
        if (Has(sha)) return new BlobResult.AlreadyThere();
        var path = PathOf(sha);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var part = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            await using (var file = new FileStream(part, FileMode.CreateNew, FileAccess.ReadWrite))
            {
                if (await CopyAsync(body, file, ct) is var digest && digest != sha)
                    return new BlobResult.Refused($"the body's SHA-256 is {digest}, not {sha}: it was changed on its way");
                file.Position = 0;
                PackedArchive.Check(file);
                file.Flush(flushToDisk: true);
                // While it is open, and so locked: another daemon on the folder that clears leftovers passes it by.
                File.Move(part, path, overwrite: true);
            }
            FolderSync.Flush(Path.GetDirectoryName(path)!);
            return new BlobResult.Stored();
        }
        catch (ArchiveException e)
        {
            return new BlobResult.Refused(e.Message);
        }
        catch (IOException e) when (e is not (Microsoft.AspNetCore.Connections.ConnectionResetException or BadHttpRequestException) && !IsFull(e))
        {
            return new BlobResult.NotStored(e.Message);
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>The disk, or our part of it, has no room: .NET gives the system's own number.</summary>
    public static bool IsFull(IOException e) => e.HResult is 28 or 122;

    /// <summary>Deletes uploads that an end of the daemon has broken off; to be called before any begins.</summary>
    public void ClearLeftovers()
    {
        if (!Directory.Exists(folder)) return;
        foreach (var left in Directory.EnumerateFiles(folder, "*.part", SearchOption.AllDirectories))
        {
            try
            {
                // Two daemons may share the folder: an upload that the other is busy with is locked.
                using (new FileStream(left, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) File.Delete(left);
            }
            catch (IOException)
            {
            }
        }
    }

    private static async Task<string> CopyAsync(Stream body, FileStream file, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[128 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, ct)) > 0;)
        {
            hash.AppendData(buffer, 0, read);
            await file.WriteAsync(buffer.AsMemory(0, read), ct);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private string PathOf(string sha) => Path.Combine(folder, sha[..2], sha);

    private static bool IsDigest(string sha) => sha.Length == 64 && sha.All(c => c is >= '0' and <= '9' or >= 'a' and <= 'f');
}
