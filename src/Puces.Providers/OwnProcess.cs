using System.ComponentModel;
using System.Diagnostics;

namespace Puces.Providers;

/// <summary>A process of this machine.</summary>
internal sealed class OwnProcess : INodeProcess
{
    private readonly Process _process;

    private OwnProcess(Process process) => _process = process;

    /// <exception cref="ProviderException">There is no such program, or it cannot be started.</exception>
    public static OwnProcess Start(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            return new(Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start"));
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new ProviderException(Remedy.Ask, $"{program} cannot be started: {e.Message}", cause: e);
        }
    }

    public Stream Input => _process.StandardInput.BaseStream;
    public Stream Output => _process.StandardOutput.BaseStream;
    public Stream Errors => _process.StandardError.BaseStream;
    public int? ProcessId => _process.Id;

    public async Task<int> WaitAsync(CancellationToken ct)
    {
        await _process.WaitForExitAsync(ct);
        return _process.ExitCode;
    }

    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: false);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has gone by itself.
        }
    }

    public ValueTask DisposeAsync()
    {
        _process.Dispose();
        return default;
    }
}
