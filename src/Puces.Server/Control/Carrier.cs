using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Providers;

namespace Puces.Server.Control;

/// <summary>
/// Brings checkpoints home from nodes whose disk no other node sees, so that the next attempt may run elsewhere. Of each rank the newest
/// is kept, until its job has ended: <c>checkpoints/JOB/RANK</c> names it, and its bytes lie with the packed files.
/// </summary>
public sealed partial class Carrier(ServerOptions options, ILogger<Carrier> logger)
{
    private readonly ConcurrentDictionary<(JobId Job, int Rank), (string Name, Task Work)> _underWay = new();

    private string Folder => Path.Combine(options.Data, "checkpoints");

    /// <summary>A rank has written a checkpoint: fetches it, unless it is here or on its way. A newer one is fetched when the one before is done.</summary>
    public void Fetch(INodeShell shell, AttemptId attempt, int rank, string name, string? path, CancellationToken ct)
    {
        var key = (attempt.Job, rank);
        if (Kept(attempt.Job, rank)?.Name == name || _underWay.TryGetValue(key, out var now) && now.Name == name) return;
        _underWay.AddOrUpdate(key, _ => (name, FetchAsync(Task.CompletedTask)), (_, before) => (name, FetchAsync(before.Work)));

        async Task FetchAsync(Task before)
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            try
            {
                if (_underWay.TryGetValue(key, out var newest) && newest.Name != name) return;
                await BringAsync(shell, attempt.Job, rank, name, path, ct);
            }
            catch (Exception e) when (e is ProviderException or IOException or UnauthorizedAccessException or OperationCanceledException)
            {
                if (!ct.IsCancellationRequested) LogTrouble(attempt.Job.Value, name, e.Message);
            }
            finally
            {
                if (_underWay.TryGetValue(key, out var last) && last.Name == name) _underWay.TryRemove(key, out _);
            }
        }
    }

    /// <summary>The newest that is here, once what is on its way has come or failed.</summary>
    public async Task<PackedCheckpoint?> NewestAsync(JobId job, int rank, CancellationToken ct)
    {
        if (_underWay.TryGetValue((job, rank), out var now)) await now.Work.WaitAsync(ct);
        return Kept(job, rank);
    }

    /// <summary>Forgets those of jobs that are over.</summary>
    public void Sweep(Func<JobId, bool> isLive)
    {
        if (!Directory.Exists(Folder)) return;
        foreach (var folder in Directory.EnumerateDirectories(Folder))
        {
            if (!long.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || isLive(new(number))) continue;
            foreach (var file in Directory.EnumerateFiles(folder))
                if (int.TryParse(Path.GetFileName(file), out var rank) && Kept(new(number), rank) is { } kept) File.Delete(BlobOf(kept.Blob));
            Directory.Delete(folder, recursive: true);
        }
    }

    private PackedCheckpoint? Kept(JobId job, int rank)
    {
        var path = PathOf(job, rank);
        return File.Exists(path) && File.ReadAllText(path).Split('\n') is [{ Length: 64 } blob, { Length: > 0 } name, ..] ? new(name, blob) : null;
    }

    private string PathOf(JobId job, int rank) => Path.Combine(Folder, job.ToString(), rank.ToString(CultureInfo.InvariantCulture));

    private string BlobOf(string blob) => Path.Combine(options.Data, "blobs", blob[..2], blob);

    private async Task BringAsync(INodeShell shell, JobId job, int rank, string name, string? path, CancellationToken ct)
    {
        var target = PathOf(job, rank);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var part = $"{target}.{Guid.NewGuid():N}.part";
        try
        {
            var blob = await ReadAsync(shell, job, name, path, part, ct);
            var before = Kept(job, rank);
            Directory.CreateDirectory(Path.GetDirectoryName(BlobOf(blob))!);
            File.Move(part, BlobOf(blob), overwrite: true);
            await File.WriteAllTextAsync(part, $"{blob}\n{name}\n", ct);
            File.Move(part, target, overwrite: true);
            if (before is not null && before.Blob != blob) File.Delete(BlobOf(before.Blob));
        }
        finally
        {
            File.Delete(part);
        }
    }

    private static async Task<string> ReadAsync(INodeShell shell, JobId job, string name, string? path, string part, CancellationToken ct)
    {
        await using var process = await shell.StartAsync(["send", job.ToString(), path ?? "", name], ct);
        await using var broken = ct.Register(process.Kill);
        process.Input.Close();
        using var errors = new StreamReader(process.Errors);
        var said = errors.ReadToEndAsync(CancellationToken.None);
        string digest;
        await using (var file = new FileStream(part, FileMode.CreateNew, FileAccess.ReadWrite))
        {
            await process.Output.CopyToAsync(file, ct);
            file.Flush(flushToDisk: true);
            file.Position = 0;
            digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, ct));
            if (await process.WaitAsync(ct) != 0) throw new IOException((await said).Trim());
            // Before it is taken for whole: what cannot be unpacked is worse than an older one.
            file.Position = 0;
            try { PackedArchive.Check(file); }
            catch (ArchiveException e) { throw new IOException(e.Message, e); }
        }
        return digest;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "checkpoint {Name} of job {Job} was not brought home: {Trouble}")]
    private partial void LogTrouble(long job, string name, string trouble);
}
