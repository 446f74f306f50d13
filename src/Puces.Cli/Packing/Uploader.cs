using System.Net;
using Puces.Cli.Local;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Units;

namespace Puces.Cli.Packing;

/// <summary>Packs work directories and mounts, and sends those that the server does not have.</summary>
internal sealed class Uploader(Session session, PucesServer server)
{
    private const long DefaultLimit = 2L << 30;

    /// <summary>The SHA-256 under which the server now has the folder.</summary>
    /// <param name="what">For messages, such as <c>work directory</c>.</param>
    public async Task<string> SendAsync(string what, string path, string prefix, CancellationToken ct)
    {
        var isWorkdir = prefix.Length == 0;
        var tree = Tree.Scan(path, prefix, withFoldersAbove: isWorkdir, [session.Folders.State, session.Folders.Cache]);
        foreach (var skipped in tree.Skipped) session.Screen.Note($"note: {skipped} is a pipe, socket or device and is not sent");
        CheckSize(what, tree);
        var cache = new ArchiveCache(Path.Combine(session.Folders.Cache, "archives"));
        var fingerprint = tree.Fingerprint(DateTimeOffset.UtcNow);
        if (fingerprint is not null && cache.Find(fingerprint) is { } known && await HasAsync(known, ct)) return known;
        try
        {
            return await PackAndSendAsync(what, tree, cache, fingerprint, ct);
        }
        finally
        {
            session.Screen.Status(null);
        }
    }

    private async Task<string> PackAndSendAsync(string what, Tree tree, ArchiveCache cache, string? fingerprint, CancellationToken ct)
    {
        Private.CreateFolder(session.Folders.Cache);
        var draft = Path.Combine(session.Folders.Cache, $"{Guid.NewGuid():n}.tar.gz");
        // Deleted by the system when closed, whatever happens.
        await using var file = new FileStream(draft, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 128 * 1024, FileOptions.DeleteOnClose);
        var packing = new Progress(session.Screen, $"packing the {what}", tree.Size);
        var archive = await Task.Run(() => ArchiveWriter.Write(tree, file, packing.Set, ct), ct);
        file.Flush();
        if (fingerprint is not null) cache.Keep(fingerprint, archive.Sha256);
        if (await HasAsync(archive.Sha256, ct)) return archive.Sha256;
        var sending = new Progress(session.Screen, $"sending the {what}", archive.Size);
        using var reply = await server.SendAsync(
            () => new(HttpMethod.Put, BlobPath(archive.Sha256)) { Content = new FileContent(file, sending.Set) }, StartDaemon.IfNeeded, ct);
        return archive.Sha256;
    }

    private async Task<bool> HasAsync(string sha256, CancellationToken ct)
    {
        using var reply = await server.TrySendAsync(() => new(HttpMethod.Head, BlobPath(sha256)), StartDaemon.IfNeeded, session.Patience, ct);
        if (reply.IsSuccessStatusCode) return true;
        if (reply.StatusCode is HttpStatusCode.NotFound) return false;
        throw await server.ErrorOfAsync(reply, ct);
    }

    private void CheckSize(string what, Tree tree)
    {
        var limit = DefaultLimit;
        if (session.Variable("PUCES_MAX_WORKDIR") is { Length: > 0 } text)
            limit = Memory.TryParse(text, out var memory) ? memory.Bytes
                : throw CommandException.Usage($"PUCES_MAX_WORKDIR is not a size: {text}", "a size such as 10GB");
        if (tree.Size <= limit) return;
        var biggest = tree.Entries.OrderByDescending(e => e.Facts.Size).Take(3).Select(e => $"{e.Name} ({Say.Bytes(e.Facts.Size)})");
        throw new CommandException(
            $"the {what} has {Say.Bytes(tree.Size)}, more than {Say.Bytes(limit)}; most of it is {string.Join(", ", biggest)} ({tree.Root})",
            "name what the job does not need in .pucesignore; or PUCES_MAX_WORKDIR=20GB to send it all");
    }

    private static string BlobPath(string sha256) => $"api/v1/blobs/{sha256}";

    /// <summary>The packed file from its beginning, each time that it is sent.</summary>
    private sealed class FileContent(FileStream file, Action<long> done) : HttpContent
    {
        protected override bool TryComputeLength(out long length)
        {
            length = file.Length;
            return true;
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var buffer = new byte[128 * 1024];
            for (long at = 0; at < file.Length;)
            {
                var read = await RandomAccess.ReadAsync(file.SafeFileHandle, buffer, at);
                if (read == 0) throw new IOException("the packed file is shorter than it was");
                await stream.WriteAsync(buffer.AsMemory(0, read));
                done(at += read);
            }
        }
    }
}
