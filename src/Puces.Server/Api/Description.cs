using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Puces.Core.Jobs;

namespace Puces.Server.Api;

/// <summary>The description of the REST interface (OpenAPI): served, printed, and checked in.</summary>
internal static class Description
{
    public const string Name = "v1";

    public static void Add(IServiceCollection services) => services.AddOpenApi(Name, openApi =>
    {
        openApi.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new() { Title = "Puces", Version = Name, Description = "Jobs, pools, logs and the feed of one Puces server. Errors are application/problem+json." };
            document.Servers?.Clear();
            document.Components ??= new();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                ["bearer"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" },
            };
            document.Security = [new() { [new OpenApiSecuritySchemeReference("bearer", document)] = [] }];
            return Task.CompletedTask;
        });
        openApi.AddSchemaTransformer((schema, context, _) =>
        {
            // The job file's own schema describes it in full; here it would be a second copy.
            if (context.JsonTypeInfo.Type == typeof(JobSpec))
                (schema.Type, schema.Description) = (JsonSchemaType.Object, "A job file in JSON, as docs/puces.schema.json describes it.");
            return Task.CompletedTask;
        });
    });

    /// <summary>Prints the description without serving anything.</summary>
    public static async Task<int> PrintAsync()
    {
        var folder = Directory.CreateTempSubdirectory("puces-openapi");
        try
        {
            await using var app = Program.Build(ServerOptions.Parse(["--data", folder.FullName], _ => null));
            Console.WriteLine(await TextAsync(app.Services));
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    internal static async Task<string> TextAsync(IServiceProvider services)
    {
        var provider = services.GetRequiredKeyedService<IOpenApiDocumentProvider>(Name);
        var document = await provider.GetOpenApiDocumentAsync();
        return JsonNode.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1))!.ToJsonString(new() { WriteIndented = true });
    }
}
