using System.Diagnostics;
using TinyLlm;
using Xunit;

namespace Puces.Tests.Examples;

/// <summary>The program as a job meets it: environment, standard output, signals and exit code.</summary>
public sealed class TinyLlmProcessTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tiny-llm-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_stop_saves_and_asks_to_be_started_again_and_then_it_goes_on_to_the_end()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no signals to send on Windows");
        var ct = TestContext.Current.CancellationToken;
        string text = Path.Combine(_folder.FullName, "text.txt");
        await File.WriteAllTextAsync(text, string.Concat(Enumerable.Repeat("All work and no play makes Jack a dull boy.\n", 100)), ct);

        using var first = Start(text, steps: "10000000");
        await WaitForAsync(first, "training ", ct);
        await SignalAsync(first, "-USR1", ct);
        await WaitForAsync(first, "asked for a checkpoint: saved step-", ct);
        await SignalAsync(first, "-TERM", ct);
        string rest = await first.StandardOutput.ReadToEndAsync(ct);
        await first.WaitForExitAsync(ct);
        Assert.Equal(75, first.ExitCode);
        Assert.Contains("asked to stop: saved step-", rest, StringComparison.Ordinal);

        using var second = Start(text, steps: "1");
        string all = await second.StandardOutput.ReadToEndAsync(ct);
        await second.WaitForExitAsync(ct);
        Assert.Equal(0, second.ExitCode);
        Assert.Contains("resumed from step ", all, StringComparison.Ordinal);
        Assert.Contains("final validation loss ", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_setting_is_one_line_and_exit_code_2()
    {
        var ct = TestContext.Current.CancellationToken;
        using var process = Start(Path.Combine(_folder.FullName, "missing"), steps: "1");
        string error = await process.StandardError.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);

        Assert.Equal(2, process.ExitCode);
        Assert.Matches("^tiny-llm: TEXT: there is no file or folder '.*missing'$", error.TrimEnd('\n', '\r'));
    }

    private Process Start(string text, string steps)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Settings).Assembly.Location])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
            Environment =
            {
                ["TEXT"] = text, ["STEPS"] = steps, ["PUCES_CHECKPOINT_DIR"] = Path.Combine(_folder.FullName, "saved"),
                ["CONTEXT"] = "16", ["WIDTH"] = "16", ["HEADS"] = "2", ["LAYERS"] = "1", ["BATCH"] = "4",
            },
        };
        return Process.Start(start)!;
    }

    private static async Task WaitForAsync(Process process, string line, CancellationToken ct)
    {
        while (await process.StandardOutput.ReadLineAsync(ct) is { } read)
        {
            if (read.StartsWith(line, StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail($"it ended without '{line}': {await process.StandardError.ReadToEndAsync(ct)}");
    }

    private static async Task SignalAsync(Process process, string signal, CancellationToken ct)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(ct);
    }
}
