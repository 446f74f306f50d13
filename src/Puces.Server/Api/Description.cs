using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Api;

/// <summary>The description of the REST interface (OpenAPI): served, printed, and checked in.</summary>
internal static class Description
{
    public const string Name = "v1";
    private const string ProblemType = "application/problem+json";

    private static readonly Dictionary<string, string> Words = new(StringComparer.Ordinal)
    {
        ["state"] = "live (the default), waiting, running, ended, all, succeeded, failed or cancelled",
        ["limit"] = "At most so many, 1 to 10000",
        ["cursor"] = "The next of the page before, as it is",
        ["follow"] = "Go on until the job is over",
        ["attempt"] = "Only this attempt, from 1",
        ["after"] = "Only what comes after: the cursor of a line of a log; the number of a line of the feed, or last for what happens from now on; the number of a job of the history",
        ["last"] = "Begin with so many of the last lines",
        ["id"] = "The job's number",
        ["sha"] = "The SHA-256 of the packed folder, in 64 lower-case hexadecimal digits",
    };

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
        openApi.AddOperationTransformer((operation, context, _) =>
        {
            foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>())
                if (Words.TryGetValue(parameter.Name!, out var words)) parameter.Description = words;
            Complete(operation, context.Document!);
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

    /// <summary>An endpoint's refusals, each a <see cref="Problem"/>; every one refuses arguments that it does not know and those without a token.</summary>
    public static RouteHandlerBuilder Refuses(this RouteHandlerBuilder endpoint, params int[] statuses)
    {
        foreach (var status in ((int[])[400, 401, .. statuses]).Distinct()) endpoint.Produces<Problem>(status, ProblemType);
        return endpoint;
    }

    /// <summary>What handlers read and write past the framework's eyes.</summary>
    private static void Complete(OpenApiOperation operation, OpenApiDocument document)
    {
        switch (operation.OperationId)
        {
            case "submitJob" or "submitJobs": Header(operation, "Idempotency-Key", "The same key with the same body again gives the same jobs, for 24 hours; at most 255 characters"); break;
            case "cancelJob": Header(operation, "X-Puces-User", "Who cancels, for the feed"); break;
            case "readLog":
                Header(operation, "Last-Event-ID", "The cursor of the last line seen, as browsers send it");
                operation.Responses!["200"].Content!["text/plain"] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
                break;
            case "readFeed":
                Header(operation, "Last-Event-ID", "The number of the last line seen, as browsers send it");
                operation.Responses!["200"].Content!["text/event-stream"] = new() { Schema = new OpenApiSchemaReference("FeedLine", document) };
                break;
            case "putBlob":
                operation.RequestBody = new OpenApiRequestBody
                {
                    Required = true,
                    Description = "At most 2 GiB",
                    Content = new Dictionary<string, OpenApiMediaType> { ["application/gzip"] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" } } },
                };
                break;
        }
    }

    private static void Header(OpenApiOperation operation, string name, string description) => (operation.Parameters ??= []).Add(new OpenApiParameter
    {
        Name = name,
        In = ParameterLocation.Header,
        Description = description,
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
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
        return JsonNode.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1))!.ToJsonString(new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }
}
