using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The long form of these tests, by <c>PUCES_SOAK=1</c>. It writes what it saw to the file that <c>PUCES_SOAK_RESULT</c> names.</summary>
internal static class Soak
{
    private static readonly Lock Gate = new();

    public static bool Is => Environment.GetEnvironmentVariable("PUCES_SOAK") == "1";

    public static void Tell(ITestOutputHelper output, string what, string text)
    {
        var told = $"{what}\n{string.Join('\n', text.Split('\n').Select(line => "  " + line))}\n\n";
        output.WriteLine(told);
        if (Environment.GetEnvironmentVariable("PUCES_SOAK_RESULT") is { Length: > 0 } file) lock (Gate) File.AppendAllText(file, told);
    }
}

/// <summary>Random numbers that can be had again: a failing test has told its seed.</summary>
internal sealed class Seed
{
    private readonly Random _random;

    public Seed(ITestOutputHelper output)
    {
        Value = int.TryParse(Environment.GetEnvironmentVariable("PUCES_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        _random = new(Value);
        output.WriteLine($"again with PUCES_SEED={Value}");
    }

    public int Value { get; }

    public int Next(int below) => _random.Next(below);
}

internal static class Ports
{
    /// <summary>A free address that no outgoing connection takes while its daemon is away.</summary>
    public static string Address(Seed seed)
    {
        while (true)
        {
            var port = 10_000 + seed.Next(10_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
            }
            catch (SocketException)
            {
            }
        }
    }
}

internal static class Processes
{
    /// <summary>The agent that serves a runner's folder; null where none does.</summary>
    public static int? Agent(string runner)
    {
        var file = Path.Combine(runner, "agent.lock");
        if (!File.Exists(file) || !int.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var pid)) return null;
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.HasExited || !File.ReadAllText($"/proc/{pid}/cmdline").Contains(runner, StringComparison.Ordinal) ? null : pid;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or IOException)
        {
            return null;
        }
    }

    /// <summary>Sends a signal, such as <c>STOP</c>, to a process that a test has started.</summary>
    public static async Task SignalAsync(int pid, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", pid.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }
}
