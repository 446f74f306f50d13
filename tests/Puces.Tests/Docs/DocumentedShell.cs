using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Puces.Testing;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Docs;

/// <summary>A user in a home of their own, who types the lines of a page one after the other into a shell.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class DocumentedShell : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private readonly Dictionary<string, string> _variables = [];

    public DocumentedShell()
    {
        var bin = Directory.CreateDirectory(Path.Combine(Home, "bin")).FullName;
        foreach (var program in (string[])["puces", "pucesd", "puces-runner"]) File.CreateSymbolicLink(Path.Combine(bin, program), Path.Combine(AppContext.BaseDirectory, program));
        // What people train with is not ours to test.
        WriteProgram("python", "echo \"$@\"");
        var work = Directory.CreateDirectory(Path.Combine(Home, "work")).FullName;
        File.WriteAllText(Path.Combine(work, "job.yaml"), "name: documented\ngpus: H100\nrun: echo here\n");
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(work, "folder")).FullName, "puces.yaml"), "run: echo there\n");
        File.WriteAllText(Path.Combine(work, "pods.csv"), "gpus,cpus,mem_gb\n1,4,8\n0.5,2,8\n2,8,16\n");
        File.WriteAllText(Path.Combine(work, "jobs.csv"), "job_id,submit_s,duration_s,gpus\na,0,600,8\nb,60,30,4\n");
        File.WriteAllText(Path.Combine(work, "nodes.csv"), "sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,8,H100\n");
        File.WriteAllText(Path.Combine(Home, ".cwd"), work);
        Set("HOME", Home);
        Set("USER", "ann");
        Set("PATH", $"{bin}:{Environment.GetEnvironmentVariable("PATH")}");
        Set("XDG_STATE_HOME", State);
        Set("WORK", work);
        Set("REPOSITORY", Checkout.Root);
        Set("PORT", FreePort().ToString(CultureInfo.InvariantCulture));
        Set("PACKAGES", Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } packages ? packages
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"));
        // The programs beside the tests need their runtime, wherever this one has it from.
        Set("DOTNET_ROOT", Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../..")));
    }

    public string Home { get; } = Directory.CreateTempSubdirectory("puces-docs-").FullName;

    public string State => Path.Combine(Home, "state");

    public string Data => Path.Combine(State, "puces");

    /// <summary>What stands on standard input of the next lines.</summary>
    public string Typed { get; set; } = "typed unseen\n";

    public void Set(string variable, string value) => _variables[variable] = value;

    public void WriteProgram(string name, string script)
    {
        var path = Path.Combine(Home, "bin", name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Types a line; its exit code must be 0. The next one begins in the folder that this one ended in.</summary>
    public async Task<string> RunAsync(string line, CancellationToken ct, string? what = null)
    {
        using var process = Start($"trap 'pwd > \"$HOME/.cwd\"' EXIT\ncd \"$(cat \"$HOME/.cwd\")\" || exit\n{line}");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        try
        {
            await process.StandardInput.WriteAsync(Typed.AsMemory(), limit.Token);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It reads nothing.
        }
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{what ?? line}\ndoes not end");
        }
        Assert.True(process.ExitCode == 0, $"{what ?? line}\nends with {process.ExitCode}:\n{await output}{await error}");
        return await output;
    }

    /// <summary>Types a line that does not end by itself, waits for a sign of life, and presses Ctrl-C.</summary>
    public async Task InterruptAsync(string line, string sign, int code, Func<Task>? meanwhile, CancellationToken ct)
    {
        using var process = Start($"cd \"$(cat \"$HOME/.cwd\")\" || exit\nexec {line}");
        var said = new StringBuilder();
        var seen = new TaskCompletionSource();
        process.OutputDataReceived += Hear;
        process.ErrorDataReceived += Hear;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (await Task.WhenAny(seen.Task, Task.Delay(TimeSpan.FromSeconds(60), ct)) != seen.Task) Assert.Fail($"{line}\nnever says {sign}:\n{said}");
        if (meanwhile is not null) await meanwhile();
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(ct);
        await process.WaitForExitAsync(ct);
        Assert.True(process.ExitCode == code, $"{line}\nends with {process.ExitCode} after Ctrl-C:\n{said}");

        void Hear(object sender, DataReceivedEventArgs e)
        {
            lock (said) said.AppendLine(e.Data);
            if (e.Data?.Contains(sign, StringComparison.Ordinal) == true) seen.TrySetResult();
        }
    }

    /// <summary>Where the daemon of this home listens.</summary>
    public string Url()
    {
        using var server = JsonDocument.Parse(File.ReadAllText(Path.Combine(Data, "server.json")));
        return server.RootElement.GetProperty("url").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        if (Directory.Exists(Data))
        {
            var daemon = 0;
            if (File.Exists(Path.Combine(Data, "server.json")))
            {
                using var server = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Data, "server.json")));
                daemon = server.RootElement.GetProperty("pid").GetInt32();
            }
            try { if (daemon > 0) Process.GetProcessById(daemon).Kill(); }
            catch (ArgumentException) { }
            // It ends whatever works in the folder, and deletes it.
            await using var left = new DaemonProcess { Data = Data };
        }
        Directory.Delete(Home, recursive: true);
    }

    private Process Start(string script)
    {
        var start = new ProcessStartInfo("/bin/bash", ["-c", script]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("PUCES_", StringComparison.Ordinal) || k.StartsWith("XDG_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in _variables) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
