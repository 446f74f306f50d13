using System.Collections.Concurrent;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Server.Auth;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>Turns a decided attempt into what its nodes are told: the spec, the secrets it names, the rendezvous.</summary>
public sealed class Orders(SecretBox secrets)
{
    private const int Remembered = 2048;
    private const long LogLimit = 256L << 20;
    private readonly ConcurrentDictionary<JobId, SubmitJob> _recent = new();

    /// <summary>Spares the store a read when a job starts soon after it was submitted.</summary>
    public void Remember(JobId job, SubmitJob submitted)
    {
        if (_recent.Count < Remembered) _recent[job] = submitted;
    }

    /// <summary>What was submitted, from what the store keeps of it.</summary>
    public static SubmitJob Read(byte[] stored) => JsonSerializer.Deserialize(stored, ContractJson.Default.SubmitJob)!;

    /// <param name="nodes">Those of the allocation, in rank order, as they were last seen.</param>
    /// <param name="restore">A checkpoint of this rank that may not be on its node.</param>
    internal async Task<RankOrder?> MakeAsync(
        IStore store, AttemptId attempt, int rank, Allocation allocation, TimeSpan? limit, IReadOnlyList<Node?> nodes, Pool pool, PackedCheckpoint? restore)
    {
        if (!_recent.TryRemove(attempt.Job, out var submitted))
        {
            if (await store.SpecAsync(attempt.Job, CancellationToken.None) is not { } stored) return null;
            submitted = Read(stored);
        }
        if (rank + 1 < allocation.Shares.Count) Remember(attempt.Job, submitted);
        var spec = submitted.Spec;
        var share = allocation.Shares[rank];
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in spec.Secrets ?? [])
        {
            var sealedValue = await store.SecretAsync(name, CancellationToken.None)
                ?? throw new OrderException($"secret {name} is not set: puces secret set {name}");
            values[name] = secrets.Open(name, sealedValue);
        }
        return new(
            attempt.Job, attempt.Number, rank, spec.Name, spec.Project, [.. nodes.Select(n => n?.Address ?? "127.0.0.1")], Port(attempt),
            spec.Run, spec.Setup, submitted.Workdir, submitted.Mounts ?? new Dictionary<string, string>(), spec.Env ?? new Dictionary<string, string>(), values,
            [.. (nodes[rank]?.Devices ?? []).Where(d => share.Devices.Contains(d.Index))], share.MilliCpus, share.Memory.Bytes, !pool.IsVirtual,
            spec.Checkpoint ?? new CheckpointSpec(), limit, pool.TermOrDefault, LogLimit,
            share.OfDevice > 0 ? share.OfDevice : null, restore,
            // A pod is a container of the image already.
            pool.Kubernetes is null ? spec.Image : null, nodes[rank]?.Engine);
    }

    /// <summary>Where a job saves itself, as its file says; null where it says nothing, or nothing is known of it.</summary>
    internal static async Task<string?> CheckpointPathAsync(IStore store, JobId job, CancellationToken ct) =>
        await store.SpecAsync(job, ct) is { } stored ? Read(stored).Spec.Checkpoint?.Path : null;

    /// <summary>A port for the rendezvous, outside of Linux's range for outgoing connections (32768 to 60999).</summary>
    private static int Port(AttemptId attempt) => 20_000 + (int)((attempt.Job.Value * 7 + attempt.Number) % 12_000);
}

/// <summary>An attempt cannot be ordered: something that it names is missing.</summary>
public sealed class OrderException(string message) : Exception(message);
