using System.Globalization;
using System.Net;
using System.Text;
using Puces.Core.Contract;

namespace Puces.Server.Dashboard;

/// <summary>The plain first pages: rendered here, kept live by a few lines of script. Everything that is shown is encoded.</summary>
public static class Pages
{
    /// <summary>Devices, the line, what runs, what has ended.</summary>
    public static string Overview(PoolList pools, IReadOnlyList<JobView> waiting, IReadOnlyList<JobView> running, IReadOnlyList<JobView> ended, ServerInfo info) =>
        Page("Puces", $"<main id=\"live\" data-from=\"/fragments/main\">{OverviewFragment(pools, waiting, running, ended, info)}</main>");

    /// <summary>The part of <see cref="Overview"/> that changes.</summary>
    public static string OverviewFragment(PoolList pools, IReadOnlyList<JobView> waiting, IReadOnlyList<JobView> running, IReadOnlyList<JobView> ended, ServerInfo info)
    {
        var html = new StringBuilder();
        html.Append($"<p class=\"facts\"><b>Puces</b> {E(info.Version)} · {info.Waiting} waiting · {info.Running} running{(info.Leads ? "" : " · stands by: another daemon leads")}</p>");
        foreach (var pool in pools.Pools) Pool(html, pool);
        Table(html, $"The line ({info.Waiting})", ["", "job", "project", "asks for", "why it waits", "starts", "since"], waiting.Select(j => new[]
        {
            j.Position?.ToString(CultureInfo.InvariantCulture) ?? "", Link(j), E(j.Project), E(j.Request), E(j.Reason), Starts(j), Time(j.Submitted),
        }), "Nobody waits.");
        Table(html, $"Running ({info.Running})", ["job", "project", "state", "on", "since"], running.Select(j => new[]
        {
            Link(j), E(j.Project), State(j), E(j.Nodes) + (j.IsVirtual ? " " + Virtual : ""), Time(j.Started ?? j.Submitted),
        }), "Nothing runs.");
        Table(html, "Ended lately", ["job", "project", "result", "took", "ended"], ended.Select(j => new[]
        {
            Link(j), E(j.Project), State(j) + (j.Reason is null ? "" : " " + E(j.Reason)), Took(j), Time(j.Ended ?? j.Submitted),
        }), "Nothing has ended yet.");
        return html.ToString();
    }

    /// <summary>One job: facts, why it waits, attempts, log.</summary>
    public static string Job(JobDetail detail, WhyView? why)
    {
        var (job, html) = (detail.Job, new StringBuilder());
        html.Append($"<main><p><a href=\"/\">all jobs</a></p><h1>{job.Id} {E(job.Name)}</h1><dl id=\"live\" data-from=\"/fragments/jobs/{job.Id}\">{JobFragment(detail, why)}</dl>");
        Table(html, "Attempts", ["", "nodes", "decided", "took", "exit", "end", "checkpoint"], detail.Attempts.Select(a => new[]
        {
            a.Number.ToString(CultureInfo.InvariantCulture), E(string.Join(", ", a.Nodes)), Time(a.Decided),
            a is { Started: { } from, Ended: { } to } ? Length(to - from) : "", a.ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "", E(a.Reason), E(a.Checkpoint),
        }), "None yet.");
        html.Append($"<h2>Log</h2><pre id=\"log\" data-job=\"/api/v1/jobs/{job.Id}\" data-from=\"/api/v1/jobs/{job.Id}/logs?follow=true\"></pre></main>");
        return Page($"{job.Id} {job.Name}", html.ToString());
    }

    /// <summary>The facts of a job that change.</summary>
    public static string JobFragment(JobDetail detail, WhyView? why)
    {
        var (job, html) = (detail.Job, new StringBuilder());
        Fact(html, "state", State(job));
        Fact(html, "asks for", E(job.Request));
        if (job.State == "queued" && why is not null) Waits(html, job, why);
        else if (job.Reason is not null) Fact(html, "reason", E(job.Reason));
        if (job.Nodes is not null) Fact(html, "on", E(job.Nodes) + (job.IsVirtual ? " " + Virtual : ""));
        Fact(html, "project", E(job.Project) + (job.Owner.Length > 0 ? " · " + E(job.Owner) : ""));
        Fact(html, "submitted", Time(job.Submitted));
        if (job.Started is { } started) Fact(html, "started", Time(started));
        if (job.Ended is { } ended) Fact(html, "ended", $"{Time(ended)} after {Took(job)}, exit code {job.ExitCode}");
        return html.ToString();
    }

    private static void Waits(StringBuilder html, JobView job, WhyView why)
    {
        Fact(html, "waits", E(why.Text));
        if (why.Needs.Count > 0) Fact(html, "it needs", string.Join("<br>", why.Needs.Select(E)));
        if (job.Estimate is not null) Fact(html, "starts", Starts(job) + (why.Estimates is { } e ? $" <span class=\"facts\">· of the last {e.Starts} estimates {e.Held} held</span>" : ""));
        if (why.Hints.Count > 0) Fact(html, "could start now with", string.Join("<br>", why.Hints.Select(E)));
    }

    /// <summary>The moments of an estimate.</summary>
    private static string Starts(JobView job) => job.Estimate switch
    {
        null => "",
        { Expected: { } expected, To: { } to } e => $"{Time(expected)} <span class=\"facts\">({Time(e.From)} to {Time(to)})</span>",
        { Expected: { } expected } e => $"{Time(expected)} <span class=\"facts\">({Time(e.From)} or later)</span>",
        { From: var from } => $"after {Time(from)}",
    };

    /// <param name="to">The page that was asked for, to go on with.</param>
    public static string Login(string? message, string to = "/") => Page("Puces", $"""
        <main><h1>Puces</h1>{(message is null ? "" : $"<p class=\"bad\">{E(message)}</p>")}
        <form method="post" action="/login"><input name="to" type="hidden" value="{E(to)}"><label>Token <input name="token" type="password" autocomplete="current-password" autofocus></label> <button>Open</button></form>
        <p class="facts">On the server's machine, <code>puces dashboard</code> prints the address with its token.</p></main>
        """);

    /// <summary>A style sheet or a script by its name; null if there is none.</summary>
    public static (byte[] Body, string Type)? Asset(string name)
    {
        var type = Path.GetExtension(name) switch { ".css" => "text/css", ".js" => "text/javascript", ".svg" => "image/svg+xml", _ => null };
        using var stream = type is null ? null : typeof(Pages).Assembly.GetManifestResourceStream("assets/" + name);
        if (stream is null) return null;
        var body = new byte[stream.Length];
        stream.ReadExactly(body);
        return (body, type!);
    }

    private const string Virtual = "<span class=\"badge\">virtual</span>";

    private static string Page(string title, string body) =>
        $"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{E(title)}</title>"
        + $"<link rel=\"icon\" href=\"/assets/puces.svg\"><link rel=\"stylesheet\" href=\"/assets/puces.css\">{body}<script src=\"/assets/puces.js\"></script></html>";

    private static void Pool(StringBuilder html, PoolView pool)
    {
        html.Append($"<section class=\"pool\"><h2>{E(pool.Name)} {(pool.IsVirtual ? Virtual : "")}</h2>{(pool.Problem is null ? "" : $"<p class=\"bad\">{E(pool.Problem)}</p>")}");
        foreach (var node in pool.Nodes)
        {
            html.Append($"<div class=\"node\"><b>{E(node.Id)}</b> {E(node.Models)} ");
            for (var i = 0; i < node.Devices; i++) html.Append(i < node.Devices - node.FreeDevices ? "<i class=\"used\"></i>" : "<i></i>");
            if (node.FreeParts is not null) html.Append($" <span class=\"facts\">free in part:{E(GapText.Parts(node).Replace(" +", "", StringComparison.Ordinal))},</span>");
            html.Append(CultureInfo.InvariantCulture, $" <span class=\"facts\">{node.FreeCpus:0.#} of {node.Cpus:0.#} CPUs free, {node.FreeMemory / 1e9:0} of {node.Memory / 1e9:0} GB</span>");
            if (!node.IsUp) html.Append($" <span class=\"bad\">{E(node.Problem ?? "cannot be reached")}</span>");
            html.Append("</div>");
        }
        foreach (var gap in pool.Gaps ?? [])
            html.Append(CultureInfo.InvariantCulture, $"<p class=\"facts\">{E(gap.Model)}: {gap.Free} of {gap.Devices} free{E(GapText.Of(gap))}</p>");
        html.Append("</section>");
    }

    private static void Table(StringBuilder html, string title, string[] heads, IEnumerable<string[]> rows, string none)
    {
        html.Append($"<h2>{E(title)}</h2>");
        var any = false;
        foreach (var row in rows)
        {
            if (!any) html.Append($"<div class=\"wide\"><table><tr>{string.Concat(heads.Select(h => $"<th>{E(h)}</th>"))}</tr>");
            any = true;
            html.Append($"<tr>{string.Concat(row.Select(c => $"<td>{c}</td>"))}</tr>");
        }
        html.Append(any ? "</table></div>" : $"<p class=\"facts\">{E(none)}</p>");
    }

    private static void Fact(StringBuilder html, string name, string value) => html.Append($"<dt>{E(name)}</dt><dd>{value}</dd>");

    private static string Link(JobView job) => $"<a href=\"/jobs/{job.Id}\">{job.Id} {E(job.Name)}</a>";

    private static string State(JobView job) => $"<span class=\"state {E(job.State)}\">{E(job.State)}</span>";

    private static string Time(DateTimeOffset at) => $"<time datetime=\"{at.UtcDateTime:O}\">{at.UtcDateTime.ToString("MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC</time>";

    private static string Took(JobView job) => job is { Started: { } from, Ended: { } to } ? Length(to - from) : "";

    private static string Length(TimeSpan span) => span.TotalMinutes < 1
        ? span.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s" : span.ToString(span.TotalDays < 1 ? @"h\:mm\:ss" : @"d\.hh\:mm\:ss", CultureInfo.InvariantCulture);

    private static string E(string? text) => WebUtility.HtmlEncode(text ?? "");
}
