namespace Puces.Core.Fleet;

/// <summary>A cluster that Slurm runs. What is null is left to Slurm's own configuration.</summary>
/// <param name="Partitions">Those that may be used, the preferred first; none for all.</param>
/// <param name="Login">Where Slurm's commands are, reached by OpenSSH; null where they are on the daemon's own machine.</param>
/// <param name="Account">Whom Slurm charges.</param>
/// <param name="Constraint">Features that a node must have, as <c>sbatch</c> takes them.</param>
/// <param name="Options">More words for <c>sbatch</c>, such as <c>--reservation=gpus</c>.</param>
/// <param name="Folder">Where Puces keeps its files, on a file system that the login and the compute nodes share; null for <c>~/.puces</c>.</param>
/// <param name="Time">How long a lease lasts that names no limit; null for as long as the partition gives it.</param>
/// <param name="Exclusive">Take whole nodes, also for a few of their devices.</param>
/// <param name="GpusPerNode">Ask for devices by <c>--gpus-per-node</c> and not by <c>--gres</c>, where a site wants that.</param>
/// <param name="Model">What the devices are, where Slurm names no type.</param>
/// <param name="Config">A <c>slurm.conf</c> that is not where Slurm looks for it.</param>
public sealed record SlurmPool(
    IReadOnlyList<string> Partitions, SshHost? Login = null, string? Account = null, string? Qos = null, string? Constraint = null,
    IReadOnlyList<string>? Options = null, string? Folder = null, TimeSpan? Time = null, bool Exclusive = false, bool GpusPerNode = false,
    string? Model = null, string? Config = null);
