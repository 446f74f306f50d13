using System.Text.Json.Serialization;
using Puces.Cli.Commands;
using Puces.Cli.Local;
using Puces.Cli.Remote;
using Puces.Core.Contract;

namespace Puces.Cli;

/// <summary>JSON of the client's own files and replies.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerFile))]
[JsonSerializable(typeof(Login))]
[JsonSerializable(typeof(VersionReply))]
[JsonSerializable(typeof(DoctorReply))]
[JsonSerializable(typeof(ServerReply))]
[JsonSerializable(typeof(DoneReply))]
[JsonSerializable(typeof(ErrorReply))]
[JsonSerializable(typeof(ValidateReply))]
[JsonSerializable(typeof(CompletionReply))]
[JsonSerializable(typeof(PackReply))]
internal sealed partial class CliJson : JsonSerializerContext;

internal sealed record VersionReply(string Version, string Runtime, string Platform);
internal sealed record DoctorReply(bool IsOk, IReadOnlyList<Check> Checks);
internal sealed record ServerReply(string Url, string? Origin = null, string? Dashboard = null);
internal sealed record DoneReply(bool Done, string Text);
internal sealed record ErrorReply(string Error, string? Try = null);
internal sealed record ValidateReply(bool IsValid, string File, string Text, IReadOnlyList<FieldError> Errors);
internal sealed record CompletionReply(string Shell, string Script);
