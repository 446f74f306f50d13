using System.Globalization;
using Puces.Core.Contract;

namespace Puces.Server.Dashboard;

/// <summary>The pages as text. They hold no script and no style of their own, so that the browser may be told to allow none.</summary>
internal static class Pages
{
    /// <summary>For the header <c>Content-Security-Policy</c>.</summary>
    public const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

    private static readonly Dictionary<string, (byte[] Body, string Type)> Assets = new(StringComparer.Ordinal)
    {
        ["puces.css"] = (Load("puces.css"), "text/css; charset=utf-8"),
        ["puces.js"] = (Load("puces.js"), "text/javascript; charset=utf-8"),
        ["puces.svg"] = (Load("puces.svg"), "image/svg+xml"),
    };

#pragma warning disable CS0028 // A page, no entry point.
    /// <param name="feed">Number of the newest line of the feed: the page is fresh up to there.</param>
    public static string Main(
        PoolList pools, IReadOnlyList<JobView> waiting, IReadOnlyList<JobView> running, IReadOnlyList<JobView> ended, ServerInfo info, long feed = 0) =>
        Frame("Puces", Html.Of($"<main id=\"main\" data-fragment=\"/fragments/main\" data-feed=\"/api/v1/feed?after={feed}\">{MainBody(pools, waiting, running, ended, info)}</main>"));
#pragma warning restore CS0028

    public static string MainFragment(
        PoolList pools, IReadOnlyList<JobView> waiting, IReadOnlyList<JobView> running, IReadOnlyList<JobView> ended, ServerInfo info) =>
        MainBody(pools, waiting, running, ended, info).ToString();

    public static string Job(JobDetail detail, WhyView? why)
    {
        var job = detail.Job;
        return Frame($"{job.Id} {job.Name} · Puces", Html.Of($"""
            <main>
            <p><a href="/">← all jobs</a></p>
            <h1>{job.Name} <small>job {job.Id}</small> {State(job.State)}{Virtual(job.IsVirtual)}</h1>
            {Facts(detail)}
            {(why is null ? Html.Empty : Why(why))}
            {Attempts(detail.Attempts)}
            <section><h2>Log</h2>
            <pre id="log" data-job="{job.Id}" tabindex="0" aria-label="Log"></pre>
            <noscript><p>The log is shown with JavaScript; or run <code>puces logs {job.Id}</code>.</p></noscript></section>
            </main>
            """));
    }

    public static string Login(string? message) => Frame("Log in · Puces", Html.Of($"""
        <main class="login">
        <h1>Log in</h1>
        {(message is null ? Html.Empty : Html.Of($"<p class=\"problem\" role=\"alert\">{message}</p>"))}
        <form method="post" action="/login">
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
        <button>Log in</button>
        </form>
        <p class="dim">The token is in the file <code>token</code> of the server's data folder.</p>
        </main>
        """));

    /// <summary>A file of the pages, for <c>/assets/NAME</c>; null where there is none.</summary>
    public static (byte[] Body, string Type)? Asset(string name) => Assets.TryGetValue(name, out var asset) ? asset : null;

    private static string Frame(string title, Html main) => Html.Of($"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{title}</title>
        <link rel="icon" href="/assets/puces.svg">
        <link rel="stylesheet" href="/assets/puces.css">
        <script src="/assets/puces.js" defer></script>
        </head>
        <body>
        <header><a class="brand" href="/"><img src="/assets/puces.svg" alt="" width="22" height="22"> Puces</a><span id="live" class="dim" role="status"></span></header>
        {main}
        </body>
        </html>

        """).ToString();

    private static Html MainBody(
        PoolList pools, IReadOnlyList<JobView> waiting, IReadOnlyList<JobView> running, IReadOnlyList<JobView> ended, ServerInfo info) => Html.Of($"""
        <section><h2>Devices</h2>
        {(pools.Pools.Count == 0 ? Html.Of($"<p class=\"dim\">No pool yet.</p>") : Html.Of($"<div class=\"pools\">{pools.Pools.Select(Pool)}</div>"))}
        </section>
        {Table("The line", info.Waiting, waiting, "Nothing waits.", ["#", "Job", "Project", "Asks for", "Why it waits", "Since"], job => Html.Of($"""
            <tr><td class="number">{Number(job.Position)}</td><td>{Link(job)}</td><td>{job.Project}</td><td>{job.Request}</td><td class="wide">{job.Reason}</td><td>{Time(job.Submitted)}</td></tr>
            """))}
        {Table("Running", info.Running, running, "Nothing runs.", ["Job", "Project", "Asks for", "Where", "State", "Since"], job => Html.Of($"""
            <tr><td>{Link(job)}</td><td>{job.Project}</td><td>{job.Request}</td><td class="wide">{job.Nodes}{Virtual(job.IsVirtual)}</td><td>{State(job.State)}</td><td>{Time(job.Started)}</td></tr>
            """))}
        {Table("Recently ended", null, ended, "Nothing has ended yet.", ["Job", "Project", "Result", "How", "Took", "Ended"], job => Html.Of($"""
            <tr><td>{Link(job)}</td><td>{job.Project}</td><td>{State(job.State)}</td><td class="wide">{job.Reason}</td><td>{Took(job.Started, job.Ended)}</td><td>{Time(job.Ended)}</td></tr>
            """))}
        <footer class="dim">Puces {info.Version} · {info.Store}{(info.Leads ? "" : " · stands by")} · since {Time(info.Started)}{info.Checks.Where(c => !c.IsOk).Select(c => Html.Of($" · <span class=\"problem\">{c.Name}: {c.Text}</span>"))}</footer>
        """);

    private static Html Pool(PoolView pool) => Html.Of($"""
        <article class="pool"><h3>{pool.Name} <small>{pool.Provider}</small>{Virtual(pool.IsVirtual)}</h3>
        <p class="count"><b>{pool.FreeDevices}</b> of {pool.Devices} free</p>
        <progress value="{pool.Devices - pool.FreeDevices}" max="{Math.Max(pool.Devices, 1)}" aria-label="devices in use"></progress>
        {Problem(pool.Problem)}
        <ul>{pool.Nodes.Select(Node)}</ul></article>
        """);

    private static Html Node(NodeView node) => Html.Of($"""
        <li><b>{node.Id}</b> {(node.IsUp ? Html.Empty : Html.Of($"<span class=\"badge bad\">down</span> "))}<span class="dim">{node.Models}; {node.FreeDevices} free, CPUs {Amount(node.FreeCpus)} of {Amount(node.Cpus)} free, {Bytes(node.FreeMemory)} of {Bytes(node.Memory)} free</span>{Problem(node.Problem)}</li>
        """);

    private static Html Table(
        string title, long? count, IReadOnlyList<JobView> jobs, string none, string[] columns, Func<JobView, Html> row) => Html.Of($"""
        <section><h2>{title}{(count is { } all ? Html.Of($" <small>{all}</small>") : Html.Empty)}</h2>
        {(jobs.Count == 0 ? Html.Of($"<p class=\"dim\">{none}</p>") : Html.Of($"<div class=\"scroll\"><table><thead><tr>{columns.Select(c => Html.Of($"<th>{c}</th>"))}</tr></thead><tbody>{jobs.Select(row)}</tbody></table></div>"))}
        </section>
        """);

    private static Html Facts(JobDetail detail)
    {
        var job = detail.Job;
        return Html.Of($"""
            <dl>{Fact("Project", job.Project)}{Fact("Owner", job.Owner)}{Fact("Asks for", job.Request)}{Fact("Priority", Number(job.Priority))}{Fact("Where", job.Nodes)}{Fact("Position", Number(job.Position))}{Fact("Reason", job.Reason)}{Moment("Submitted", job.Submitted)}{Moment("Started", job.Started)}{Moment("Ended", job.Ended)}{Fact("Took", Took(job.Started, job.Ended))}{Fact("Exit code", Number(job.ExitCode))}{Fact("Checkpoint", job.Checkpoint)}{Fact("Command", detail.Spec.Run.Script ?? string.Join(' ', detail.Spec.Run.Arguments ?? []))}</dl>
            """);
    }

    private static Html Why(WhyView why) => Html.Of($"""
        <section><h2>Why</h2><p>{why.Text}</p>
        {(why.Needs.Count == 0 ? Html.Empty : Html.Of($"<ul>{why.Needs.Select(Item)}</ul>"))}
        {(why.Hints.Count == 0 ? Html.Empty : Html.Of($"<p>It could start now with:</p><ul>{why.Hints.Select(Item)}</ul>"))}
        </section>
        """);

    private static Html Attempts(IReadOnlyList<AttemptView> attempts) => attempts.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>Attempts</h2><div class="scroll"><table><thead><tr><th>#</th><th>Nodes</th><th>Started</th><th>Took</th><th>Exit</th><th>How it ended</th><th>CPU</th><th>Peak memory</th></tr></thead>
        <tbody>{attempts.Select(a => Html.Of($"""
            <tr><td class="number">{a.Number}</td><td>{string.Join(", ", a.Nodes)}</td><td>{Time(a.Started)}</td><td>{Took(a.Started, a.Ended)}</td><td class="number">{Number(a.ExitCode)}</td><td class="wide">{a.Reason}</td><td>{(a.CpuSeconds is { } seconds ? Duration(TimeSpan.FromSeconds(seconds)) : "")}</td><td>{(a.PeakMemoryBytes is { } peak ? Bytes(peak) : "")}</td></tr>
            """))}</tbody></table></div></section>
        """);

    private static Html Item(string text) => Html.Of($"<li>{text}</li>");

    private static Html Fact(string name, string? value) => string.IsNullOrEmpty(value) ? Html.Empty : Html.Of($"<div><dt>{name}</dt><dd>{value}</dd></div>");

    private static Html Moment(string name, DateTimeOffset? at) => at is null ? Html.Empty : Html.Of($"<div><dt>{name}</dt><dd>{Time(at)}</dd></div>");

    private static Html Link(JobView job) => Html.Of($"<a href=\"/jobs/{job.Id}\">{job.Id} {job.Name}</a>");

    private static Html Problem(string? text) => text is null ? Html.Empty : Html.Of($"<p class=\"problem\">{text}</p>");

    private static Html Virtual(bool isVirtual) => isVirtual ? Html.Of($" <span class=\"badge\">virtual</span>") : Html.Empty;

    private static Html State(string state) => Html.Of($"<span class=\"badge {state switch { "succeeded" => "good", "failed" => "bad", "running" => "busy", _ => "" }}\">{state}</span>");

    /// <summary>The moment in UTC; the script makes "3 min ago" of it.</summary>
    private static Html Time(DateTimeOffset? at) => at is not { } moment ? Html.Empty
        : Html.Of($"<time datetime=\"{moment.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)}\">{moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)}</time>");

    private static string Took(DateTimeOffset? from, DateTimeOffset? to) => from is { } begun && to is { } ended ? Duration(ended - begun) : "";

    private static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(time.TotalSeconds, 0):0.#} s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours} h {time.Minutes} min"),
    };

    private static string Number(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "";

    private static string Amount(double number) => number.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Bytes(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.#} GiB") : $"{bytes >> 20} MiB";

    private static byte[] Load(string name)
    {
        using var stream = typeof(Pages).Assembly.GetManifestResourceStream("dashboard/" + name) ?? throw new InvalidOperationException($"{name} was not built in");
        var body = new byte[stream.Length];
        stream.ReadExactly(body);
        return body;
    }
}
