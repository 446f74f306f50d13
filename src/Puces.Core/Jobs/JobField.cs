using System.Text;

namespace Puces.Core.Jobs;

/// <summary>One key of the job file. The binder, the JSON Schema, the command line's options and the documentation's test read it here.</summary>
/// <param name="Path">Such as <c>memory</c> or <c>checkpoint.grace</c>.</param>
/// <param name="Text">What it is for, in a sentence.</param>
/// <param name="Form">What may stand there, for "takes …".</param>
/// <param name="Sample">A value that it may have, in JSON.</param>
/// <param name="Schema">Its JSON Schema, without description and examples.</param>
/// <param name="OtherNames">What other tools call it.</param>
public sealed record JobField(string Path, string Text, string Form, string Sample, string Schema, params string[] OtherNames)
{
    public string Key { get; } = Path[(Path.IndexOf('.', StringComparison.Ordinal) + 1)..];

    /// <summary>The sample as a line of YAML, such as <c>gpus: H100:8</c>.</summary>
    public string Example => $"{Key}: {Flow(SpecReader.Read(Encoding.UTF8.GetBytes(Sample)).Root!)}";

    private static string Flow(SpecNode node) => node switch
    {
        SpecNode.Mapping mapping => $"{{{string.Join(", ", mapping.Entries.Select(e => $"{e.Key}: {Flow(e.Value)}"))}}}",
        SpecNode.Sequence list => $"[{string.Join(", ", list.Items.Select(Flow))}]",
        SpecNode.Scalar scalar => scalar.Text,
        _ => "null",
    };

    /// <summary>The key that this one stands under; empty at the top.</summary>
    public string Section { get; } = Path.IndexOf('.', StringComparison.Ordinal) is >= 0 and var dot ? Path[..dot] : "";
}

/// <summary>All keys of the job file, in the order in which they are documented and written.</summary>
public static class JobFields
{
    public const int MostNodes = 4096;
    public const int MostCpus = 4096;
    public const int MostDevices = 1024;
    public const int MostRetries = 1000;
    public const int LongestName = 64;
    public const int GreatestPriority = 1000;

    private const string Duration = """{"type":"string","pattern":"^\\s*([0-9]+\\s*(w|d|h|m|s|ms)\\s*)+$|^([0-9]+-)?[0-9]+:[0-5][0-9]:[0-5][0-9]$"}""";
    private const string Bytes = """{"type":"string","pattern":"^\\s*[0-9]+(\\.[0-9]+)?\\s*([KMGTkmgt][Ii]?)?[Bb]\\s*$"}""";
    private const string Text = """{"type":"string","minLength":1}""";
    private const string Word = """{"type":["string","integer"],"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$","maxLength":64}""";
    private const string Path = """{"type":["string","integer"],"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$","maxLength":64}""";
    private const string Gpu = """{"anyOf":[{"type":"integer","minimum":0,"maximum":1024},{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},{"type":"string"},{"$ref":"#/$defs/gpus"}]}""";

    public static readonly JobField Name = new("name",
        "What the job is called in lists; the folder's name where it is left out.",
        "a name of letters, digits, '.', '_' and '-'", "\"train-7b\"", Word, "job_name", "jobname", "title");
    public static readonly JobField Project = new("project",
        "Who shares and pays: the project whose quota and budget it uses; with a slash a part of one.",
        "a name of letters, digits, '.', '_' and '-', with '/' between a project and its part", "\"lab/speech\"", Path, "account", "team", "namespace");
    public static readonly JobField Gpus = new("gpus",
        "Accelerators on each node: a count, a part of one such as 0.5, a model, a need, or a list of alternatives in order of preference.",
        "a count, a model or a need", "\"H100:8\"",
        $$"""{"anyOf":[{{Gpu}},{"type":"array","items":{{Gpu}}}]}""",
        "accelerator", "accelerators", "devices", "gres", "resources");
    public static readonly JobField Nodes = new("nodes",
        "Machines that start together, as one gang.",
        "a whole number", "2", """{"type":"integer","minimum":1,"maximum":4096}""", "num_nodes", "hosts", "machines", "replicas");
    public static readonly JobField Cpus = new("cpus",
        "CPUs on each node; where it is left out, at least one for each device, and the node's portion for them where that is free.",
        "a number", "16", """{"type":"number","exclusiveMinimum":0,"maximum":4096}""", "cores", "vcpus", "cpus_per_task");
    public static readonly JobField Memory = new("memory",
        "Main memory on each node.",
        "an amount with its unit", "\"64GiB\"", Bytes, "mem", "ram");
    public static readonly JobField Where = new("where",
        "Pools, countries or 'eu' that may run it; anywhere where it is left out.",
        "a pool, a country or a list of them", """["office","FR","eu"]""",
        $$"""{"anyOf":[{{Word}},{"type":"array","minItems":1,"items":{{Word}}}]}""",
        "region", "regions", "cloud", "zone", "infra", "pool", "pools", "backends", "partition", "location");
    public static readonly JobField Prefer = new("prefer",
        "Which of several pools: the one where it is expected to start soonest, or the cheapest.",
        "soonest or cheapest", "\"cheapest\"", """{"enum":["soonest","cheapest"]}""", "optimize", "optimize_for", "choose");
    public static readonly JobField Spot = new("spot",
        "Whether capacity that may be taken back at short notice is used: never, auto (where it is cheaper) or only.",
        "never, auto or only", "\"auto\"", """{"enum":["never","auto","only",true,false]}""", "use_spot", "spot_policy", "preemptible", "interruptible");
    public static readonly JobField Budget = new("budget",
        "The most that the job may cost, with its currency.",
        "an amount with its currency", "\"200 EUR\"", Text, "max_price", "max_cost", "cost", "price");
    public static readonly JobField Deadline = new("deadline",
        "When it must be done, with the time zone.",
        "a date and time with its zone", "\"2030-06-01T08:00:00+02:00\"",
        """{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,7})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"}""", "due", "finish_by");
    public static readonly JobField Expected = new("expected",
        "How long it should take: evidence for the queue, never a limit.",
        "a duration", "\"6h\"", Duration, "estimate", "duration", "runtime");
    public static readonly JobField Limit = new("limit",
        "The longest that one attempt may run.",
        "a duration", "\"24h\"", Duration, "time", "timeout", "time_limit", "walltime", "max_duration");
    public static readonly JobField Priority = new("priority",
        "From -1000 to 1000; low, normal, high and urgent stand for -100, 0, 100 and 500.",
        "a whole number, or low, normal, high, urgent", "\"high\"",
        """{"anyOf":[{"type":"integer","minimum":-1000,"maximum":1000},{"enum":["low","normal","high","urgent"]}]}""", "prio", "nice", "qos");
    public static readonly JobField Checkpoint = new("checkpoint",
        "How the job saves itself, so that a later attempt goes on from there.",
        "path, signal, grace and every", """{"signal":"USR1","grace":"2m"}""", """{"$ref":"#/$defs/checkpoint"}""", "checkpoints", "checkpointing", "ckpt");
    public static readonly JobField Image = new("image",
        "Container image to run in, by the engine that the node has: Docker, Podman, Apptainer or Enroot.",
        "the name of an image", "\"nvcr.io/nvidia/pytorch:25.06-py3\"", """{"type":"string","pattern":"^\\S+$"}""", "container", "docker", "image_id");
    public static readonly JobField Setup = new("setup",
        "Shell script that prepares the work directory, run on each node before 'run'.",
        "a script", "\"pip install -r requirements.txt\"", Text, "init", "prepare", "before_script");
    public static readonly JobField Run = new("run",
        "What to do: a script for bash, or a list of a program and its arguments that no shell sees.",
        "a script or a list of arguments", "\"python train.py\"",
        """{"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,"items":{"type":["string","number","boolean"]}}]}""",
        "command", "commands", "cmd", "script", "entrypoint", "exec", "args", "argv");
    public static readonly JobField Workdir = new("workdir",
        "Folder packed and sent with the job, relative to the job file; none sends nothing.",
        "a folder, or none", "\".\"", """{"type":["string","null"],"minLength":1}""", "working_dir", "working_directory", "cwd", "directory", "chdir");
    public static readonly JobField Mounts = new("mounts",
        "Files and folders put into the work directory: path there, and where it is here, relative to the job file.",
        "paths and what to put there", """{"data/corpus.txt":"../corpus.txt"}""",
        """{"type":"object","additionalProperties":{"type":"string","minLength":1}}""", "file_mounts", "volumes", "files", "storage");
    public static readonly JobField Env = new("env",
        "Environment variables of setup and run.",
        "names and values, or a list of NAME=value", """{"SEED":42,"WANDB_MODE":"offline"}""",
        """
        {"anyOf":[
          {"type":"object","propertyNames":{"pattern":"^(?!PUCES_)[A-Za-z_][A-Za-z0-9_]*$"},"additionalProperties":{"type":["string","number","boolean"]}},
          {"type":"array","items":{"type":"string","pattern":"^(?!PUCES_)[A-Za-z_][A-Za-z0-9_]*="}}]}
        """, "envs", "environment", "variables", "vars");
    public static readonly JobField Secrets = new("secrets",
        "Names of stored secrets that the job sees as environment variables.",
        "a list of names", """["HF_TOKEN"]""",
        """{"type":"array","uniqueItems":true,"items":{"type":"string","pattern":"^(?!PUCES_)[A-Z_][A-Z0-9_]*$"}}""", "secret_names", "credentials");
    public static readonly JobField Retries = new("retries",
        "How many failures are tried again, and how.",
        "a whole number, or count, backoff and restart_codes", "3",
        """{"anyOf":[{"type":"integer","minimum":0,"maximum":1000},{"$ref":"#/$defs/retries"}]}""", "retry", "restarts", "max_retries", "job_recovery");

    public static readonly JobField GpuName = new("gpus.name",
        "A model, such as H100; left out where any that meets the need will do.",
        "a model", "\"H100\"", Text, "model", "type", "gpu", "accelerator");
    public static readonly JobField GpuVram = new("gpus.vram",
        "Memory of one device: at least (80GB or 80GB+), or from and to (40GB..80GB).",
        "an amount with its unit, or a range", "\"80GB+\"", Text, "memory", "mem", "ram");
    public static readonly JobField GpuCount = new("gpus.count",
        "Devices on each node, or a part of one such as 0.5; 1 where it is left out.",
        "a whole number, or a part of one device", "8", """{"anyOf":[{"type":"integer","minimum":1,"maximum":1024},{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}]}""", "number", "num", "quantity", "amount");
    public static readonly JobField GpuBf16 = new("gpus.bf16",
        "Dense bf16 TFLOP/s of one device: at least (900 or 900+), or from and to (300..900).",
        "TFLOP/s, or a range", "\"900+\"",
        """{"anyOf":[{"type":"number","exclusiveMinimum":0},{"type":"string","minLength":1}]}""", "tflops", "speed", "flops", "fp16");
    public static readonly JobField GpuVendor = new("gpus.vendor",
        "Who makes it: nvidia, amd, intel, google, amazon, or a list of them.",
        "a vendor or a list of them", """["nvidia","amd"]""",
        """
        {"anyOf":[{"enum":["nvidia","amd","intel","google","amazon"]},
          {"type":"array","minItems":1,"uniqueItems":true,"items":{"enum":["nvidia","amd","intel","google","amazon"]}}]}
        """, "vendors", "brand", "manufacturer", "maker");

    public static readonly JobField CheckpointPath = new("checkpoint.path",
        "Where the job saves; left out, the folder that PUCES_CHECKPOINT_DIR names.",
        "a path", "\"checkpoints\"", Text, "dir", "folder", "directory", "file");
    public static readonly JobField CheckpointSignal = new("checkpoint.signal",
        "The signal that asks for a checkpoint; TERM where it is left out.",
        "the name of a signal", "\"USR1\"",
        """{"enum":["TERM","INT","HUP","QUIT","USR1","USR2","ALRM","WINCH","SIGTERM","SIGINT","SIGHUP","SIGQUIT","SIGUSR1","SIGUSR2","SIGALRM","SIGWINCH"]}""", "sig");
    public static readonly JobField CheckpointGrace = new("checkpoint.grace",
        "How long the job may take to save before it is stopped; 30s where it is left out.",
        "a duration", "\"2m\"", Duration, "grace_period", "timeout", "wait");
    public static readonly JobField CheckpointEvery = new("checkpoint.every",
        "How often Puces asks for a checkpoint; left out, that is the job's own business.",
        "a duration", "\"30m\"", Duration, "interval", "period", "frequency");

    public static readonly JobField RetryCount = new("retries.count",
        "Failures that are tried again; 0 where it is left out.",
        "a whole number", "3", """{"type":"integer","minimum":0,"maximum":1000}""", "number", "max", "attempts", "limit");
    public static readonly JobField RetryBackoff = new("retries.backoff",
        "Wait before the first retry; it doubles with each, up to an hour. 10s where it is left out.",
        "a duration", "\"30s\"", Duration, "delay", "wait", "back_off");
    public static readonly JobField RetryCodes = new("retries.restart_codes",
        "Exit codes that ask for a restart and cost no retry; 75 where it is left out.",
        "exit codes from 1 to 255", "[75,85]",
        """{"anyOf":[{"type":"integer","minimum":1,"maximum":255},{"type":"array","uniqueItems":true,"items":{"type":"integer","minimum":1,"maximum":255}}]}""",
        "exit_codes", "codes", "recover_on_exit_codes");

    public static IReadOnlyList<JobField> All { get; } =
    [
        Name, Project, Gpus, Nodes, Cpus, Memory, Where, Prefer, Spot, Budget, Deadline, Expected, Limit, Priority, Checkpoint, Image, Setup, Run,
        Workdir, Mounts, Env, Secrets, Retries,
        GpuName, GpuVram, GpuCount, GpuBf16, GpuVendor,
        CheckpointPath, CheckpointSignal, CheckpointGrace, CheckpointEvery,
        RetryCount, RetryBackoff, RetryCodes,
    ];

    /// <summary>The keys that stand at the top.</summary>
    public static IReadOnlyList<JobField> Top { get; } = [.. All.Where(f => f.Section.Length == 0)];

    internal static IReadOnlyList<JobField> OfGpus { get; } = [.. All.Where(f => f.Section == "gpus")];
    internal static IReadOnlyList<JobField> OfCheckpoint { get; } = [.. All.Where(f => f.Section == "checkpoint")];
    internal static IReadOnlyList<JobField> OfRetries { get; } = [.. All.Where(f => f.Section == "retries")];
}
