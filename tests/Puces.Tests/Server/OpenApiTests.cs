using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Puces.Server;
using Puces.Testing;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Server;

public sealed class OpenApiTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>
{
    private const string File = "docs/openapi.json";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static JsonObject Paths => JsonNode.Parse(Checkout.Read(File))!["paths"]!.AsObject();

    [Fact]
    public async Task The_checked_in_description_is_what_the_daemon_prints()
    {
        using var print = Process.Start(new ProcessStartInfo(DaemonProcess.Program, ["openapi"]) { RedirectStandardOutput = true })!;
        var text = await print.StandardOutput.ReadToEndAsync(Ct);
        await print.WaitForExitAsync(Ct);
        Assert.Equal(0, print.ExitCode);
        if (Checkout.IsUpdating) Checkout.Write(File, text);
        Assert.True(Checkout.Read(File) == text, $"{File} is out of date; run the tests once with UPDATE=1");
    }

    [Fact]
    public async Task The_description_that_is_served_is_the_checked_in_one()
    {
        var reply = await daemon.GetAsync("openapi/v1.json", Ct);
        Assert.Equal((200, "application/json"), (reply.Status, reply.Type));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(reply.Text), JsonNode.Parse(Checkout.Read(File))), $"/openapi/v1.json is not {File}");
    }

    [Fact]
    public async Task Every_route_is_described_and_no_other()
    {
        var folder = Directory.CreateTempSubdirectory("puces-routes-");
        await using var app = Program.Build(ServerOptions.Parse(["--data", folder.FullName], _ => null));
        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText!.StartsWith("/api/", StringComparison.Ordinal))
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => $"{m} {e.RoutePattern.RawText!.Replace("{**", "{", StringComparison.Ordinal)}"));
        Assert.Equal(routes.Order(StringComparer.Ordinal), Operations().Select(o => o.Name).Order(StringComparer.Ordinal));
        folder.Delete(recursive: true);
    }

    [Fact]
    public void Every_operation_has_a_name_a_summary_an_answer_and_its_refusals_as_problems()
    {
        Assert.All(Operations(), operation =>
        {
            var (name, described) = operation;
            Assert.False(string.IsNullOrEmpty((string?)described["operationId"]), name);
            Assert.False(string.IsNullOrEmpty((string?)described["summary"]), name);
            var responses = described["responses"]!.AsObject();
            Assert.Contains(responses, r => r.Key.StartsWith('2'));
            Assert.Contains(responses, r => r.Key == "401");
            foreach (var (status, response) in responses.Where(r => r.Key[0] is '4' or '5'))
                Assert.Equal("#/components/schemas/Problem", (string?)response!["content"]?["application/problem+json"]?["schema"]?["$ref"]);
            foreach (var parameter in described["parameters"]?.AsArray() ?? []) Assert.NotNull(parameter!["schema"]);
            if (name.StartsWith("POST /api/v1/jobs", StringComparison.Ordinal) && !name.EndsWith("cancel", StringComparison.Ordinal)) Assert.NotNull(described["requestBody"]);
        });
        Assert.Equal(Operations().Count(), Operations().Select(o => (string)o.Described["operationId"]!).Distinct().Count());
    }

    private static IEnumerable<(string Name, JsonNode Described)> Operations() =>
        Paths.SelectMany(path => path.Value!.AsObject().Select(method => ($"{method.Key.ToUpperInvariant()} {path.Key}", method.Value!)));
}
