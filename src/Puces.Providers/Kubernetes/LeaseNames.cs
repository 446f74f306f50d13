using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Puces.Core.Market;

namespace Puces.Providers.Kubernetes;

/// <summary>What the objects of leases are called and labelled, so that a lease is found again by its id, and the same id again is the same objects.</summary>
/// <param name="instance">Keeps the objects of several daemons in one namespace apart.</param>
internal sealed partial class LeaseNames(string instance, string pool)
{
    public const string Manager = "app.kubernetes.io/managed-by", Instance = "puces/instance", Pool = "puces/pool", Lease = "puces/lease", Rank = "puces/rank";

    /// <summary>Where the controller of Indexed Jobs says a pod's number.</summary>
    public const string JobIndex = "batch.kubernetes.io/job-completion-index";

    private readonly string _digest = Digest($"{instance}/{pool}")[..8];

    /// <summary>All of ours, as a label selector.</summary>
    public string Ours => $"{Manager}=puces,{Instance}={Value(instance)},{Pool}={Value(pool)}";

    public string Of(LeaseId lease) => $"{Ours},{Lease}={lease}";

    /// <exception cref="ArgumentException">The id cannot be part of a name.</exception>
    public string Name(LeaseId lease) =>
        Plain.IsMatch(lease.Value) ? $"puces-{_digest}-{lease}" : throw new ArgumentException($"'{lease}' cannot name an object of Kubernetes", nameof(lease));

    public string PodName(LeaseId lease, int rank) => $"{Name(lease)}-{rank.ToString(CultureInfo.InvariantCulture)}";

    public Dictionary<string, string> Labels(LeaseId lease) => new()
    {
        [Manager] = "puces",
        [Instance] = Value(instance),
        [Pool] = Value(pool),
        [Lease] = lease.Value,
    };

    /// <summary>As a label's value: itself, or what stands for it where it is longer or has other letters than those may.</summary>
    private static string Value(string text) => LabelValue.IsMatch(text) ? text : Digest(text)[..16];

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
    private static partial Regex Plain { get; }

    [GeneratedRegex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
    private static partial Regex LabelValue { get; }
}
