using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Server;

public sealed class ProjectApiTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync() => await daemon.ClearAsync(CancellationToken.None);

    private Task<Reply> SetAsync(string name, string json) => daemon.SendAsync(HttpMethod.Put, $"api/v1/projects/{name}", json, Ct);

    [Fact]
    public async Task A_project_is_set_listed_and_removed()
    {
        var set = (await SetAsync("lab/vision", """{"weight": 2, "quota": {"H100": 8}, "limits": {"devices": 12, "runTime": "2d"}}""")).Read(ContractJson.Default.ProjectView);
        Assert.Equal(("lab/vision", 2, 8, 12, "2d", true), (set.Name, set.Weight, set.Quota["H100"], set.Limits.Devices, set.Limits.RunTime, set.IsSet));
        var job = await daemon.Process.SubmitAsync("sleep 60", Ct, s => s with { Project = "lab/vision", Gpus = [new(8, "H100")] });
        await daemon.Process.UntilAsync(job.Id, j => j.State == "running", Ct);
        var list = await daemon.GetAsync("api/v1/projects", ContractJson.Default.ProjectList, Ct);
        Assert.Equal((8, 8), (list.Projects.Single(p => p.Name == "lab").Devices, list.Projects.Single(p => p.Name == "lab/vision").Devices));
        var next = await daemon.Process.SubmitAsync("true", Ct, s => s with { Project = "lab/vision", Gpus = [new(8, "H100")] });
        Assert.Equal("project lab/vision may hold 12 devices at once, and holds 8: this starts when it has given enough back", next.Reason);
        Assert.Equal(204, (await daemon.SendAsync(HttpMethod.Delete, "api/v1/projects/lab%2Fvision", null, Ct)).Status);
        Assert.False((await daemon.GetAsync("api/v1/projects/lab/vision", ContractJson.Default.ProjectView, Ct)).IsSet);
        Assert.Equal("there is no project lab/vision", (await daemon.SendAsync(HttpMethod.Delete, "api/v1/projects/lab/vision", null, Ct)).Problem.Title);
        Assert.True(job.Id < next.Id);
    }

    [Fact]
    public async Task What_is_wrong_with_a_project_is_said_field_by_field()
    {
        var problem = (await SetAsync("a b", """{"weight": 0, "quota": {"H100": -1}, "limits": {"waiting": -2, "runTime": "soon"}}""")).Problem;
        Assert.Equal(["name", "weight", "quota", "limits.waiting", "limits.runTime"], problem.Errors!.Select(e => e.Path));
        Assert.Equal("there is no project nobody", (await daemon.GetAsync("api/v1/projects/nobody", Ct)).Problem.Title);
    }
}
