using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// A real PostgreSQL for one test run: its own cluster in a temporary folder, its own port on the loopback address. It
/// starts with the first test that asks for it, and is gone with the test process however that ends.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    public const string Absent = "PostgreSQL is not installed: run ./test, which installs it";
    private static readonly string? Binaries = Find();

    private readonly SemaphoreSlim _gate = new(1);
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "puces-postgres-" + Guid.NewGuid().ToString("n"));
    private readonly int _port = FreePort();
    private Task? _start;
    private Process? _guard;
    private int _databases;

    /// <summary>The address of a new, empty database. Skips the test where PostgreSQL is not installed.</summary>
    public async Task<string> NewDatabaseAsync(CancellationToken ct)
    {
        Assert.SkipUnless(Binaries is not null, Absent);
        await _gate.WaitAsync(ct);
        try
        {
            await (_start ??= StartAsync(ct));
        }
        finally
        {
            _gate.Release();
        }
        var name = "test" + Interlocked.Increment(ref _databases).ToString(CultureInfo.InvariantCulture);
        await using var connection = new NpgsqlConnection(Address("postgres") + ";Pooling=false");
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand($"CREATE DATABASE {name}", connection);
        await command.ExecuteNonQueryAsync(ct);
        return Address(name);
    }

    /// <summary>As after a crash: no checkpoint, every connection cut.</summary>
    public async Task CrashAndRestartAsync(CancellationToken ct)
    {
        await RunAsync("pg_ctl", ["-D", Data, "-m", "immediate", "-w", "stop"], ct);
        await StartServerAsync(ct);
    }

    public async ValueTask DisposeAsync()
    {
        _gate.Dispose();
        if (_guard is null) return;
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private string Data => Path.Combine(_folder, "data");

    private string Address(string database) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database}");

    private async Task StartAsync(CancellationToken ct)
    {
        Directory.CreateDirectory(_folder);
        // Root may not run a server: the account that the package made does.
        if (Environment.IsPrivilegedProcess) await RunAsync("chown", ["postgres", _folder], ct, asRoot: true);
        // Its input ends with the test process, however that ends.
        _guard = Process.Start(Command(
            "sh", ["-c", "trap '' INT; cat >/dev/null; \"$0\" -D \"$1/data\" -m immediate -w stop; rm -rf \"$1\"", Path.Combine(Binaries!, "pg_ctl"), _folder],
            asRoot: false))!;
        await RunAsync("initdb", ["-D", Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], ct);
        // Tests kill processes, never the machine: what the kernel holds survives, so that syncs would only cost time.
        await File.AppendAllLinesAsync(Path.Combine(Data, "postgresql.conf"),
        [
            "listen_addresses = '127.0.0.1'", string.Create(CultureInfo.InvariantCulture, $"port = {_port}"),
            $"unix_socket_directories = '{_folder}'", "fsync = off", "max_connections = 100", "shared_buffers = 32MB", "log_min_messages = fatal",
        ], ct);
        await StartServerAsync(ct);
    }

    private Task StartServerAsync(CancellationToken ct) => RunAsync("pg_ctl", ["-D", Data, "-l", Path.Combine(_folder, "log"), "-w", "start"], ct);

    private static async Task RunAsync(string program, string[] arguments, CancellationToken ct, bool asRoot = false)
    {
        using var process = Process.Start(Command(asRoot ? program : Path.Combine(Binaries!, program), arguments, asRoot))!;
        process.StandardInput.Close();
        // The server that pg_ctl starts inherits the pipes: their end is not awaited.
        var errors = new StringWriter();
        process.ErrorDataReceived += (_, line) => { lock (errors) errors.WriteLine(line.Data); };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        while (!process.HasExited) await Task.Delay(20, ct);
        lock (errors) Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {errors}");
    }

    private static ProcessStartInfo Command(string program, string[] arguments, bool asRoot)
    {
        string[] all = Environment.IsPrivilegedProcess && !asRoot
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", program, .. arguments]
            : [program, .. arguments];
        return new(all[0], all[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
    }

    private static string? Find()
    {
        var packaged = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => folder, StringComparer.Ordinal).Select(folder => Path.Combine(folder, "bin"))
            : [];
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return packaged.Concat(path).FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "pg_ctl")));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
