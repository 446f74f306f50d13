using System.Reflection;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Puces.Core.Contract;
using Puces.Server.Api;
using Puces.Server.Auth;
using Puces.Server.Blobs;
using Puces.Server.Control;
using Puces.Server.Logs;
using Puces.Server.Store;

namespace Puces.Server;

/// <summary>The daemon.</summary>
public static partial class Program
{
    private const long LargestBody = 64L << 20;

    public static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static async Task<int> Main(string[] arguments)
    {
        try
        {
            switch (arguments)
            {
                case ["version" or "--version"]: Console.WriteLine("pucesd " + Version); return 0;
                case ["help" or "--help" or "-h"]: Console.WriteLine(ServerOptions.Usage); return 0;
                case ["backup", var file, .. var rest]: return await BackupAsync(file, ServerOptions.Parse(rest, Environment.GetEnvironmentVariable));
                case ["openapi"]: return await Description.PrintAsync();
            }
            var options = ServerOptions.Parse(arguments, Environment.GetEnvironmentVariable);
            VirtualDevices.Of(options.FirstPool.Gpus ?? "");
            Prepare(options);
            await CheckFreeAsync(options);
            await using var app = Build(options);
            return await RunAsync(app);
        }
        catch (Exception e) when (e is FormatException or StoreException or IOException or UnauthorizedAccessException)
        {
            Say("pucesd: " + e.Message);
            return e is FormatException ? 2 : 1;
        }
    }

    private static void Prepare(ServerOptions options)
    {
        Directory.CreateDirectory(options.Data);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(options.Data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var folder in (string[])["blobs", "logs", "runner", "ssh"]) Directory.CreateDirectory(Path.Combine(options.Data, folder));
    }

    /// <summary>A second daemon on one SQLite file could only wait, while its server.json misled clients. Other trouble with the store may pass: the writer says it and tries again.</summary>
    private static async Task CheckFreeAsync(ServerOptions options)
    {
        await using var store = Stores.Open(options.Store);
        if (store is not SqliteStore) return;
        try { await store.LeadAsync(CancellationToken.None); }
        catch (StoreException e) when (!e.IsFenced) { }
    }

    /// <summary>The application, not yet started.</summary>
    internal static WebApplication Build(ServerOptions options)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory, Args = [] });
        builder.WebHost.UseUrls(options.Listen);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.AddServerHeader = false;
        });
        builder.Logging.ClearProviders().AddJsonConsole(json => json.TimestampFormat = "O").SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("System", LogLevel.Warning);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ContractJson.Default);
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        builder.Services.AddSingleton(options).AddSingleton(TimeProvider.System)
            .AddSingleton<Inbox>().AddSingleton<Live>().AddSingleton<Nodes>().AddSingleton<PoolProviders>().AddSingleton<Carrier>().AddSingleton<Orders>().AddSingleton<ServerFile>()
            .AddSingleton(new LogBook(Path.Combine(options.Data, "logs"))).AddSingleton(new BlobStore(Path.Combine(options.Data, "blobs")))
            .AddSingleton(_ => new Tokens(options.Data)).AddSingleton(_ => new SecretBox(options.Data))
            .AddHostedService<Writer>();
        // Thrown, so that it is told as every other mistake is.
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        Description.Add(builder.Services);

        var app = builder.Build();
        app.Services.GetRequiredService<BlobStore>().ClearLeftovers();
        app.Services.GetRequiredService<LogBook>().Problem += message => LogTrouble(app.Logger, message);
        app.Use((context, next) => Problems.HandleAsync(context, next));
        app.Use((context, next) => Doors.HandleAsync(context, next, app.Services.GetRequiredService<Tokens>()));
        // Explicit, or the framework would choose the route before the doors are passed.
        app.UseRouting();
        app.MapGet("/healthz", () => "ok\n").ExcludeFromDescription();
        app.MapGet("/readyz", (Live live, Inbox inbox) => live.IsReady ? Results.Text("ready\n") : Results.Text(inbox.ClosedBecause + "\n", statusCode: 503)).ExcludeFromDescription();
        app.MapOpenApi("/openapi/{documentName}.json");
        var api = app.MapGroup("/api/v1").AddEndpointFilterFactory(Arguments.RefuseUnknown);
        JobsApi.Map(api);
        StreamsApi.Map(api);
        ThingsApi.Map(api);
        PoolsApi.Map(api);
        ProjectsApi.Map(api);
        WindowsApi.Map(api);
        PagesApi.Map(app);
        // Explicit too: the description can then be printed without a start.
        app.UseEndpoints(_ => { });
        return app;
    }

    private static async Task<int> RunAsync(WebApplication app)
    {
        // Before anybody learns where to ask: who does will read it at once.
        var tokens = app.Services.GetRequiredService<Tokens>();
        await app.StartAsync();
        var file = app.Services.GetRequiredService<ServerFile>();
        var url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        file.Listens(url);
        Say($"pucesd {Version} listens on {url}; its token is in {tokens.File}");
        await app.WaitForShutdownAsync();
        file.Forget();
        // A writer that met what it does not know ends the daemon: whoever guards it is to start it again.
        return app.Services.GetServices<IHostedService>().OfType<Writer>().Single().ExecuteTask is { IsFaulted: true } ? 1 : 0;
    }

    /// <summary>Where the words go may be full; that is no reason to end.</summary>
    private static void Say(string text)
    {
        try
        {
            Console.Error.WriteLine(text);
        }
        catch (IOException)
        {
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Trouble}")]
    private static partial void LogTrouble(ILogger logger, string trouble);

    private static async Task<int> BackupAsync(string file, ServerOptions options)
    {
        await using var store = Stores.Open(options.Store);
        if (store is not SqliteStore sqlite) throw new StoreException("backup copies a SQLite store; for PostgreSQL use pg_dump");
        await sqlite.BackupAsync(Path.GetFullPath(file), CancellationToken.None);
        Console.WriteLine($"the store is copied to {file}; keep the folders blobs, keys, logs and runner of {options.Data} with it");
        return 0;
    }
}
