using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Core.Units;

namespace Puces.Core.Engine;

/// <summary>
/// The records as the store keeps them. What is written today is read by every later version: members are only ever
/// added, with a default, and a reader skips those that it does not know.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    IgnoreReadOnlyProperties = true,
    UseStringEnumConverter = true,
    Converters = [typeof(JobIdJson), typeof(AttemptIdJson), typeof(MemoryJson)])]
[JsonSerializable(typeof(Job))]
[JsonSerializable(typeof(AttemptRecord))]
[JsonSerializable(typeof(Pool))]
[JsonSerializable(typeof(Project))]
[JsonSerializable(typeof(Window))]
[JsonSerializable(typeof(LeaseRecord))]
public sealed partial class EngineJson : JsonSerializerContext
{
    /// <summary>Text goes into a database, not into HTML: only what JSON must escape is escaped.</summary>
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>The one form of all stored records.</summary>
    public static EngineJson Stored => Compact.Form;

    // A class of its own, because it must come after the generated static fields.
    private static class Compact
    {
        public static readonly EngineJson Form = new(new(Default.Options) { Encoder = Encoder, TypeInfoResolver = null });
    }
}

/// <summary>A number.</summary>
internal sealed class JobIdJson : JsonConverter<JobId>
{
    public override JobId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64());
    public override void Write(Utf8JsonWriter writer, JobId value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
}

/// <summary>Its tag, such as <c>"42-1"</c>.</summary>
internal sealed class AttemptIdJson : JsonConverter<AttemptId>
{
    public override AttemptId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        AttemptId.TryParse(reader.GetString() ?? "", out var id) ? id : throw new JsonException("an attempt is written as job-number, such as 42-1");

    public override void Write(Utf8JsonWriter writer, AttemptId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>Whole bytes.</summary>
internal sealed class MemoryJson : JsonConverter<Memory>
{
    public override Memory Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64());
    public override void Write(Utf8JsonWriter writer, Memory value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Bytes);
}
