using Puces.Core.Contract;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>What stands for keys that are left out.</summary>
/// <param name="Name">The folder's name where there is one; null makes <c>name</c> a must.</param>
/// <param name="Workdir">What is sent where the file does not say; null for nothing.</param>
public sealed record JobFileDefaults(string? Name = null, string? Workdir = null, string Project = "default")
{
    /// <summary>For a job file in JSON that came over the wire: no folder stands around it.</summary>
    public static readonly JobFileDefaults None = new();
}

/// <summary>The meaning of a job file: <see cref="SpecNode"/> → <see cref="JobSpec"/>, or everything that is wrong with it.</summary>
public static class JobFile
{
    /// <summary>The spec, or else at least one error; every mistake is found, not the first alone.</summary>
    public static (JobSpec? Spec, IReadOnlyList<FieldError> Errors) Bind(SpecNode root, JobFileDefaults defaults)
    {
        var reader = new FieldReader();
        if (root is not SpecNode.Mapping mapping)
        {
            reader.Fault(root.Mark, "", root is SpecNode.Null
                ? "the job file is empty; write at least run: and what to run"
                : "a job file is made of keys and values, such as run: python train.py");
            return (null, reader.Errors);
        }
        var spec = Bind(mapping, defaults, reader, new JobParts(reader));
        return reader.Errors.Count == 0 ? (spec, []) : (null, reader.Errors);
    }

    private static JobSpec Bind(SpecNode.Mapping root, JobFileDefaults defaults, FieldReader reader, JobParts parts)
    {
        string? name = defaults.Name, project = defaults.Project, image = null, setup = null, workdir = defaults.Workdir;
        RunCommand? run = null;
        IReadOnlyList<GpuRequest>? gpus = null;
        var (nodes, priority, spot, prefer) = (1, 0, SpotUse.Never, Preference.Soonest);
        double? cpus = null;
        Memory? memory = null;
        IReadOnlyList<string>? where = null, secrets = null;
        Money? budget = null;
        DateTimeOffset? deadline = null;
        TimeSpan? expected = null, limit = null;
        CheckpointSpec? checkpoint = null;
        IReadOnlyDictionary<string, string>? mounts = null, env = null;
        RetrySpec? retries = null;
        SpecNode? secretsAt = null, nodesAt = null;
        var (hasRun, hasName) = (false, defaults.Name is not null);

        foreach (var (field, node) in reader.Fields(root, "", JobFields.Top))
        {
            switch (field.Path)
            {
                case "name": (name, hasName) = (reader.Name(node, field), true); break;
                case "project": project = reader.Project(node, field); break;
                case "gpus": gpus = new GpuForms(reader).Read(node); break;
                case "nodes": (nodes, nodesAt) = (reader.Whole(node, field, 1, JobFields.MostNodes) ?? 1, node); break;
                case "cpus": cpus = reader.Number(node, field, 0.001, JobFields.MostCpus); break;
                case "memory": memory = reader.Amount(node, field); break;
                case "where": where = parts.Where(node); break;
                case "prefer": prefer = parts.Prefer(node) ?? Preference.Soonest; break;
                case "spot": spot = parts.Spot(node) ?? SpotUse.Never; break;
                case "budget": budget = parts.Budget(node); break;
                case "deadline": deadline = parts.Deadline(node); break;
                case "expected": expected = reader.Duration(node, field); break;
                case "limit": limit = reader.Duration(node, field); break;
                case "priority": priority = parts.Priority(node) ?? 0; break;
                case "checkpoint": checkpoint = parts.Checkpoint(node); break;
                case "image": image = parts.Image(node); break;
                case "setup": setup = reader.Filled(node, field); break;
                case "run": (run, hasRun) = (parts.Run(node), true); break;
                case "workdir": workdir = parts.Workdir(node); break;
                case "mounts": mounts = parts.Mounts(node); break;
                case "env": env = parts.Env(node); break;
                case "secrets": (secrets, secretsAt) = (parts.Secrets(node), node); break;
                case "retries": retries = parts.Retries(node); break;
                default: throw new InvalidOperationException($"The key {field.Path} is in the table and is not read.");
            }
        }

        if (!hasRun) reader.Fault(root.Mark, "run", $"is missing; write what to do, such as {JobFields.Run.Example}");
        if (!hasName) reader.Fault(root.Mark, "name", $"is missing; write one, such as {JobFields.Name.Example}");
        if (nodes > 1 && gpus?.FirstOrDefault(g => g.Share > 0) is { } part)
            reader.Fault(nodesAt!, JobFields.Nodes, $"a part of a device is on one node, and gpus asks for {Request.Text(part)}; write nodes: 1, or whole devices");
        if (env is not null && secretsAt is not null) NotBoth(secretsAt, env, reader);
        return new(name ?? "", run ?? new(), gpus, nodes, cpus, memory, where, spot, budget, deadline, expected, limit, priority, project ?? "",
            checkpoint, image, setup, workdir, mounts, env, secrets, retries, prefer);
    }

    private static void NotBoth(SpecNode secrets, IReadOnlyDictionary<string, string> env, FieldReader reader)
    {
        IReadOnlyList<SpecNode> items = secrets is SpecNode.Sequence list ? list.Items : [secrets];
        for (var i = 0; i < items.Count; i++)
            if (items[i] is SpecNode.Scalar { Text: var name } && env.ContainsKey(name))
                reader.Fault(items[i], new Place(JobFields.Secrets, i), $"{Show.Plain(name)} is also in env; keep one of the two");
    }
}
