using System.Globalization;
using System.Text.Json;

namespace Puces.Testing;

/// <summary>A pucesd for tests of clients: <c>dotnet Puces.Testing.dll --data FOLDER [--jobs N] [--fail] [--port N]</c>.</summary>
internal static class FakeDaemonProgram
{
    private static async Task<int> Main(string[] args)
    {
        var folder = Value("--data") ?? throw new ArgumentException("--data is missing");
        await Console.Error.WriteLineAsync($"fake pucesd on {folder}");
        if (File.Exists(Path.Combine(folder, "fail")))
        {
            await Console.Error.WriteLineAsync("the store is from a newer version");
            return 3;
        }
        var world = new FakeWorld { Token = "from-file", OnSubmit = RunByItself };
        for (var i = int.Parse(Value("--jobs") ?? "0", CultureInfo.InvariantCulture); i > 0; i--)
            world.Submit(new(new($"job-{i}", new(Script: "true"), Env: new Dictionary<string, string> { ["WAIT"] = "1" }), "ann"), "");
        await using var daemon = new FakeDaemon(world);
        await daemon.StartAsync(int.Parse(Value("--port") ?? "0", CultureInfo.InvariantCulture), CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(folder, "token"), world.Token);
        var draft = Path.Combine(folder, "server.json.new");
        await File.WriteAllTextAsync(draft, JsonSerializer.Serialize(new { url = daemon.Url, pid = Environment.ProcessId, version = "0.1.0" }));
        File.Move(draft, Path.Combine(folder, "server.json"), overwrite: true);
        await daemon.Stopped;
        File.Delete(Path.Combine(folder, "server.json"));
        return 0;

        string? Value(string name) => Array.IndexOf(args, name) is >= 0 and var at ? args.ElementAtOrDefault(at + 1) : null;
    }

    // Variables of the job say how it goes: LINES, EVERY (milliseconds), EXIT, and WAIT to stay in line.
    private static void RunByItself(FakeJob job)
    {
        if (Number("WAIT", 0) > 0) return;
        _ = Task.Run(async () =>
        {
            await Task.Delay(Number("START", 50));
            job.Start();
            for (var i = 1; i <= Number("LINES", 3); i++)
            {
                job.Print($"line {i}");
                await Task.Delay(Number("EVERY", 10));
            }
            job.End(Number("EXIT", 0));
        });

        int Number(string name, int otherwise) =>
            job.Spec.Env?.TryGetValue(name, out var text) == true ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
    }
}
