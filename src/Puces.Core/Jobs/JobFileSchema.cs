using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Puces.Core.Jobs;

/// <summary>The JSON Schema of the job file, for editors, made from <see cref="JobFields"/>.</summary>
public static class JobFileSchema
{
    /// <summary>What editors know the schema by.</summary>
    public const string FileName = "puces.schema.json";

    /// <summary>The schema as text, indented, with a line feed at its end.</summary>
    public static string Text()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options)) Write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    private static void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("$schema", "https://json-schema.org/draft/2020-12/schema");
        json.WriteString("title", "Puces job file");
        json.WriteString("description", "What a job needs and does: puces.yaml, or the same in JSON. Keys that start with x- are ignored.");
        Object(json, JobFields.Top, JobFields.Run.Key);
        json.WriteStartObject("patternProperties");
        json.WriteStartObject("^x-|^\\$schema$");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("$defs");
        Section(json, "gpus", "A need: any device that meets all of it will do.", JobFields.OfGpus);
        Section(json, "checkpoint", JobFields.Checkpoint.Text, JobFields.OfCheckpoint);
        Section(json, "retries", JobFields.Retries.Text, JobFields.OfRetries);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Section(Utf8JsonWriter json, string name, string description, IReadOnlyList<JobField> fields)
    {
        json.WriteStartObject(name);
        json.WriteString("description", description);
        Object(json, fields, null);
        json.WriteEndObject();
    }

    private static void Object(Utf8JsonWriter json, IReadOnlyList<JobField> fields, string? required)
    {
        json.WriteString("type", "object");
        json.WriteBoolean("additionalProperties", false);
        if (required is not null)
        {
            json.WriteStartArray("required");
            json.WriteStringValue(required);
            json.WriteEndArray();
        }
        json.WriteStartObject("properties");
        foreach (var field in fields)
        {
            json.WriteStartObject(field.Key);
            json.WriteString("description", field.Text);
            using var schema = JsonDocument.Parse(field.Schema);
            foreach (var property in schema.RootElement.EnumerateObject()) property.WriteTo(json);
            using var sample = JsonDocument.Parse(field.Sample);
            json.WriteStartArray("examples");
            sample.RootElement.WriteTo(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
