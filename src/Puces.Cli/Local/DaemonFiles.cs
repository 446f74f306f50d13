using System.Diagnostics;
using System.Text.Json;

namespace Puces.Cli.Local;

/// <summary>What a daemon writes into its data folder once it listens.</summary>
internal sealed record ServerFile(string Url, int Pid, string? Version = null)
{
    /// <summary>The process is there: it may answer, or soon will.</summary>
    public bool IsAlive
    {
        get
        {
            try
            {
                using var process = Process.GetProcessById(Pid);
                return !process.HasExited;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                return false;
            }
        }
    }
}

/// <summary>The local daemon's data folder, as far as a client reads it.</summary>
internal sealed class DaemonFiles(string folder)
{
    public string Folder => folder;
    public string Log => Path.Combine(folder, "pucesd.log");
    public string Lock => Path.Combine(folder, "start.lock");
    private string ServerPath => Path.Combine(folder, "server.json");
    private string TokenPath => Path.Combine(folder, "token");

    /// <summary>Where the daemon listens, as it said; null where it never started or has stopped in good order.</summary>
    public ServerFile? ReadServer()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(ServerPath), CliJson.Default.ServerFile);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    public string? ReadToken()
    {
        try
        {
            return File.ReadAllText(TokenPath).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>After a stop that was asked for: followers then know that nobody wants the daemon back.</summary>
    public void ForgetServer()
    {
        if (Directory.Exists(folder)) File.Delete(ServerPath);
    }

    /// <summary>The end of the daemon's log from the given byte on, for an error message.</summary>
    public IReadOnlyList<string> LogTail(long from, int lines)
    {
        try
        {
            using var file = new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(Math.Min(from, file.Length), SeekOrigin.Begin);
            var all = new StreamReader(file).ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            return all[^Math.Min(lines, all.Length)..];
        }
        catch (IOException)
        {
            return [];
        }
    }

    public long LogLength() => File.Exists(Log) ? new FileInfo(Log).Length : 0;
}
