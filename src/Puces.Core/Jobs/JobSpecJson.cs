using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Puces.Core.Contract;
using Puces.Core.Units;

namespace Puces.Core.Jobs;

/// <summary>
/// A spec as a job file in JSON: the keys of the file, only those that say something, always in one order. What
/// <see cref="Write(JobSpec)"/> gives, <see cref="Read(ReadOnlySpan{byte})"/> takes back to an equal spec.
/// </summary>
public static class JobSpecJson
{
    // What is written goes into JSON and nowhere else: '+' and 'é' may stay as they are.
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static byte[] Write(JobSpec spec)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, Compact)) Write(writer, spec);
        return buffer.WrittenSpan.ToArray();
    }

    /// <exception cref="JobFileException">It is not JSON, or not a job file.</exception>
    public static JobSpec Read(ReadOnlySpan<byte> utf8)
    {
        var (root, error) = SpecReader.Read(utf8);
        return root is null ? throw new JobFileException([error!]) : Bind(root);
    }

    internal static JobSpec Bind(SpecNode root)
    {
        var (spec, errors) = JobFile.Bind(root, JobFileDefaults.None);
        return spec ?? throw new JobFileException(errors);
    }

    internal static void Write(Utf8JsonWriter json, JobSpec spec)
    {
        json.WriteStartObject();
        json.WriteString("name", spec.Name);
        if (spec.Project != JobFileDefaults.None.Project) json.WriteString("project", spec.Project);
        if (spec.Gpus is { Count: > 0 } gpus) Gpus(json, gpus);
        if (spec.Nodes != 1) json.WriteNumber("nodes", spec.Nodes);
        if (spec.Cpus is { } cpus) json.WriteNumber("cpus", cpus);
        if (spec.Memory is { } memory) json.WriteString("memory", memory.ToString());
        Texts(json, "where", spec.Where);
        if (spec.Prefer != Preference.Soonest) json.WriteString("prefer", "cheapest");
        if (spec.Spot != SpotUse.Never) json.WriteString("spot", spec.Spot == SpotUse.Auto ? "auto" : "only");
        if (spec.Budget is { } budget) json.WriteString("budget", budget.ToString());
        if (spec.Deadline is { } deadline) json.WriteString("deadline", deadline.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz", CultureInfo.InvariantCulture));
        Duration(json, "expected", spec.Expected);
        Duration(json, "limit", spec.Limit);
        if (spec.Priority != 0) json.WriteNumber("priority", spec.Priority);
        if (spec.Checkpoint is { } checkpoint) Checkpoint(json, checkpoint);
        Text(json, "image", spec.Image);
        Text(json, "setup", spec.Setup);
        if (spec.Run.Arguments is { } arguments) Texts(json, "run", arguments);
        else Text(json, "run", spec.Run.Script);
        Text(json, "workdir", spec.Workdir);
        Map(json, "mounts", spec.Mounts);
        Map(json, "env", spec.Env);
        Texts(json, "secrets", spec.Secrets);
        if (spec.Retries is { } retries) Retries(json, retries);
        json.WriteEndObject();
    }

    private static void Gpus(Utf8JsonWriter json, IReadOnlyList<GpuRequest> gpus)
    {
        json.WritePropertyName("gpus");
        if (gpus.Count > 1) json.WriteStartArray();
        foreach (var gpu in gpus) Gpu(json, gpu);
        if (gpus.Count > 1) json.WriteEndArray();
    }

    private static void Gpu(Utf8JsonWriter json, GpuRequest gpu)
    {
        var isNeed = gpu.Vram is not null || gpu.Bf16 is not null || gpu.Vendors is { Count: > 0 };
        if (!isNeed && gpu.Name is null) { json.WriteRawValue(gpu.Amount); return; }
        if (!isNeed) { json.WriteStringValue($"{gpu.Name}:{gpu.Amount}"); return; }
        json.WriteStartObject();
        Text(json, "name", gpu.Name);
        if (gpu.Vram is { } vram) json.WriteString("vram", Range(vram.Min?.ToString(), vram.Max?.ToString()));
        if (gpu.Bf16 is { } bf16) json.WriteString("bf16", Range(Number(bf16.Min), Number(bf16.Max)));
        if (gpu.Milli != 1000) json.WriteNumber("count", gpu.Milli / 1000m);
        Texts(json, "vendor", gpu.Vendors);
        json.WriteEndObject();
    }

    private static string Range(string? min, string? max) => max is null ? min + "+" : min + ".." + max;

    private static string? Number(double? value) => value?.ToString("R", CultureInfo.InvariantCulture);

    private static void Checkpoint(Utf8JsonWriter json, CheckpointSpec checkpoint)
    {
        json.WriteStartObject("checkpoint");
        Text(json, "path", checkpoint.Path);
        json.WriteString("signal", checkpoint.Signal);
        Duration(json, "grace", checkpoint.Grace);
        Duration(json, "every", checkpoint.Every);
        json.WriteEndObject();
    }

    private static void Retries(Utf8JsonWriter json, RetrySpec retries)
    {
        if (retries is { Backoff: null, RestartCodes: null }) { json.WriteNumber("retries", retries.Count); return; }
        json.WriteStartObject("retries");
        json.WriteNumber("count", retries.Count);
        Duration(json, "backoff", retries.Backoff);
        if (retries.RestartCodes is { } codes)
        {
            json.WriteStartArray("restart_codes");
            foreach (var code in codes) json.WriteNumberValue(code);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter json, string key, string? text)
    {
        if (text is not null) json.WriteString(key, text);
    }

    private static void Duration(Utf8JsonWriter json, string key, TimeSpan? duration)
    {
        if (duration is { } time) json.WriteString(key, Durations.Format(time));
    }

    private static void Texts(Utf8JsonWriter json, string key, IReadOnlyList<string>? texts)
    {
        if (texts is not { Count: > 0 }) return;
        json.WriteStartArray(key);
        foreach (var text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static void Map(Utf8JsonWriter json, string key, IReadOnlyDictionary<string, string>? map)
    {
        if (map is not { Count: > 0 }) return;
        json.WriteStartObject(key);
        foreach (var (name, value) in map.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(name, value);
        json.WriteEndObject();
    }
}

/// <summary>Makes a <see cref="JobSpec"/> inside any other JSON a job file, with a job file's errors.</summary>
public sealed class JobSpecConverter : JsonConverter<JobSpec>
{
    public override JobSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JobSpecJson.Bind(SpecReader.Read(ref reader));

    public override void Write(Utf8JsonWriter writer, JobSpec value, JsonSerializerOptions options) => JobSpecJson.Write(writer, value);
}

/// <summary>A text that should be a job file and is not.</summary>
public sealed class JobFileException : JsonException
{
    public JobFileException(IReadOnlyList<FieldError> errors) : base(Words(errors)) => Errors = errors;

    /// <summary>Everything that is wrong, with paths from the job file's root.</summary>
    public IReadOnlyList<FieldError> Errors { get; } = [];

    /// <summary>The errors with paths from the root of the request that the job file was part of, such as <c>jobs[3].spec.gpus</c>.</summary>
    public IReadOnlyList<FieldError> ErrorsInRequest()
    {
        var prefix = Path is null ? "" : Path.TrimStart('$').TrimStart('.');
        if (prefix.Length == 0) return Errors;
        return [.. Errors.Select(e => e with { Path = e.Path.Length == 0 ? prefix : $"{prefix}.{e.Path}" })];
    }

    private static string Words(IReadOnlyList<FieldError> errors)
    {
        var first = errors[0];
        var text = first.Path.Length == 0 ? first.Message : $"{first.Path}: {first.Message}";
        return errors.Count == 1 ? text : string.Create(CultureInfo.InvariantCulture, $"{text} (and {errors.Count - 1} more)");
    }
}
