using System.Globalization;
using System.Runtime.CompilerServices;
using Puces.Core.Fleet;

namespace Puces.Providers.Slurm;

/// <summary>Looks at a cluster as a person would who wants to know why it does not serve.</summary>
internal sealed class SlurmCheck(SlurmLogin login, SlurmPool slurm)
{
    public async IAsyncEnumerable<CheckStep> StepsAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var (answer, trouble) = await TryAsync("slurm", () => login.RunAsync("sinfo --version", ct));
        yield return trouble ?? new("slurm", true, $"{answer.Trim()} on {login.Name}");
        if (trouble is not null) yield break;

        (answer, trouble) = await TryAsync("controller", () => login.RunAsync($"sinfo -h -N -O '{SlurmText.NodeFields}'", ct));
        if (trouble is not null)
        {
            yield return trouble;
            yield break;
        }
        var nodes = SlurmText.Nodes(answer).ToList();
        yield return new("controller", true, $"{nodes.Select(n => n.Name).Distinct().Count()} nodes");
        (answer, _) = await TryAsync("controller", () => login.RunAsync("scontrol show config | grep ^ProctrackType || true", ct));
        if (answer.Contains("proctrack/pgid", StringComparison.Ordinal))
            yield return new("processes", null, "Slurm follows process groups only (ProctrackType=proctrack/pgid): what leaves its group goes on after the end of a job", "ask for proctrack/cgroup or proctrack/linuxproc");

        (answer, trouble) = await TryAsync("folder", () => login.RunWithRunnerAsync("mkdir -p \"$i\"; \"$r\" version; echo \"$i\"", ct));
        var folder = answer.Trim().Split('\n')[^1];
        yield return trouble ?? new("folder", true, $"{folder}, with puces-runner {answer.Split('\n')[0]}");
        if (trouble is not null) yield break;

        IReadOnlyList<string> partitions = slurm.Partitions.Count > 0 ? slurm.Partitions : [.. nodes.Select(n => n.Partition).Distinct()];
        foreach (var partition in partitions)
        {
            var step = PartitionStep(partition, [.. nodes.Where(n => n.Partition == partition)]);
            yield return step;
            if (step.IsGood is false) continue;
            var name = $"{partition}: submit";
            var options = Options(partition);
            (_, trouble) = await TryAsync(name, () => login.RunAsync($"sbatch --test-only {options} --wrap true", ct));
            yield return trouble ?? new(name, true, "Slurm would take a job of ours");
            if (trouble is null) yield return await SharedAsync(partition, options, ct);
        }
    }

    private static CheckStep PartitionStep(string partition, IReadOnlyList<SlurmNode> nodes)
    {
        if (nodes.Count == 0) return new(partition, false, $"the cluster has no partition {partition}, or hides it from us", "sinfo shows those that there are; name them with partitions");
        if (!nodes[0].IsPartitionUp) return new(partition, false, $"the partition {partition} is not up", $"whoever runs the cluster opens it: scontrol update PartitionName={partition} State=UP");
        var serving = nodes.Count(n => n.Serves);
        if (serving == 0) return new(partition, false, $"all {nodes.Count} nodes are down or drained", "sinfo -R says why");
        var gpus = string.Join(", ", nodes.SelectMany(n => n.Gpus).GroupBy(g => g.Type).Select(g => $"{g.Sum(x => x.Count)} × {(g.Key.Length > 0 ? g.Key : "GPU")}"));
        var text = string.Create(CultureInfo.InvariantCulture, $"{serving} of {nodes.Count} nodes take jobs");
        return gpus.Length > 0 ? new(partition, true, $"{text}; {gpus}") : new(partition, null, $"{text}; none has devices", "scontrol show node shows them as Gres=gpu:…");
    }

    /// <summary>Whether a compute node finds what was written here. Where none is free within some seconds, nothing is known.</summary>
    private async Task<CheckStep> SharedAsync(string partition, string options, CancellationToken ct)
    {
        var (name, word) = ($"{partition}: shared folder", $"check-{Guid.NewGuid():N}");
        var (answer, trouble) = await TryAsync(name, () => login.RunAsync(
            $$"""
            mkdir -p "$i"; echo {{word}} > "$i/{{word}}"; trap 'rm -f "$i/{{word}}"' EXIT
            srun --quiet --immediate=10 {{options}} --nodes=1 --ntasks=1 --time=1 --chdir=/ sh -c 'cat "$1" 2>&1 || true' sh "$i/{{word}}" 2>&1 || true
            """, ct));
        if (trouble is not null) return trouble;
        if (answer.Contains(word, StringComparison.Ordinal) && !answer.Contains("No such file", StringComparison.Ordinal)) return new(name, true, "a compute node finds what is written here");
        return answer.Contains("No such file", StringComparison.Ordinal)
            ? new(name, false, "a compute node does not find what is written here: the folder is not shared", "name one with folder that is on a file system which the login and the compute nodes share")
            : new(name, null, $"no node was free to look whether it sees the folder: {answer.Trim().Split('\n')[^1]}", "check again when one is");
    }

    private string Options(string partition)
    {
        List<string> options = [$"--partition={partition}"];
        if (slurm.Account is { } account) options.Add($"--account={account}");
        if (slurm.Qos is { } qos) options.Add($"--qos={qos}");
        if (slurm.Constraint is { } constraint) options.Add($"--constraint={constraint}");
        return string.Join(' ', options.Concat(slurm.Options ?? []).Select(CarriedRunner.Quoted));
    }

    private static async Task<(string Answer, CheckStep? Trouble)> TryAsync(string what, Func<Task<string>> ask)
    {
        try
        {
            return (await ask(), null);
        }
        catch (ProviderException e)
        {
            return ("", new(what, false, e.Message, e.Hint));
        }
    }
}
