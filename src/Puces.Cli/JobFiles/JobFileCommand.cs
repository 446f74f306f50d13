using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Cli.JobFiles;

/// <summary>What is done with job files alone, without a server.</summary>
public static class JobFileCommand
{
    /// <summary><c>puces validate FILE</c>: says what is wrong, or what the job asks for. Returns the exit code.</summary>
    /// <param name="json">Print the errors as a JSON list, empty where there are none.</param>
    public static int Validate(string path, bool json, bool colour, out string text)
    {
        var loaded = JobFileReader.Load(path, Overrides.None);
        text = json ? JsonSerializer.Serialize(loaded.Errors, ContractJson.Default.IReadOnlyListFieldError) + "\n"
            : loaded.Spec is { } spec ? $"{Show.Plain(loaded.Source.Path, longest: 4096)} is in order: {spec.Name} asks for {Request.Of(spec)}\n"
            : JobFileErrors.Render(loaded.Source, loaded.Errors, colour);
        return loaded.Spec is null ? 1 : 0;
    }

    /// <summary>The JSON Schema for editors, as it stands in <c>docs/puces.schema.json</c>.</summary>
    public static string Schema() => JobFileSchema.Text();
}
