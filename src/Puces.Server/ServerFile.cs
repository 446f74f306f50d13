using System.Diagnostics;
using System.Text.Json;

namespace Puces.Server;

/// <summary>
/// <c>server.json</c> in the data folder: where clients on this machine find the daemon. Where several share the folder, the one that leads
/// is there, and one that only stands by leaves it.
/// </summary>
public sealed partial class ServerFile(ServerOptions options, ILogger<ServerFile> log)
{
    private readonly Lock _gate = new();
    private readonly string _path = Path.Combine(options.Data, "server.json");
    private string? _url;
    private bool _leads;

    public void Listens(string url)
    {
        lock (_gate)
        {
            _url = url;
            if (_leads || Owner() is not { } owner || owner == Environment.ProcessId || !IsAlive(owner)) Write();
        }
    }

    public void Leads()
    {
        lock (_gate)
        {
            _leads = true;
            if (_url is not null) Write();
        }
    }

    public void Forget()
    {
        lock (_gate)
            if (Owner() == Environment.ProcessId) File.Delete(_path);
    }

    private void Write()
    {
        try
        {
            var part = $"{_path}.{Environment.ProcessId}";
            File.WriteAllText(part, JsonSerializer.Serialize(new { url = _url, pid = Environment.ProcessId, version = Program.Version }));
            File.Move(part, _path, overwrite: true);
        }
        catch (IOException e)
        {
            // A full disk: it is written when the store, which is no better off, can be led again.
            LogUnwritten(_path, e.Message);
        }
    }

    private int? Owner()
    {
        try
        {
            using var file = JsonDocument.Parse(File.ReadAllBytes(_path));
            return file.RootElement.GetProperty("pid").GetInt32();
        }
        catch (Exception e) when (e is IOException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsAlive(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return !process.HasExited;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} cannot be written: {Message}")]
    private partial void LogUnwritten(string path, string message);
}
