using System.Globalization;
using System.Text.Json;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary>How a log is shown.</summary>
/// <param name="IsGang">More than one rank: each line says whose it is.</param>
/// <param name="Since">Earlier lines are left out.</param>
internal sealed record LogStyle(bool IsJson, bool HasTimes, bool IsGang, DateTimeOffset? Since);

/// <summary>A job's log on the screen: its output on ours, its errors on ours, what Puces itself says beside them.</summary>
internal sealed class LogPrinter(Screen screen, LogStyle style)
{
    private (int Attempt, int Rank, string Stream)? _open;

    public bool HasPrinted { get; private set; }

    public async Task PrintAsync(PucesServer server, long id, bool isFollowed, int? attempt, CancellationToken ct)
    {
        await foreach (var line in server.EventsAsync(Path, null, PucesServer.Json.LogLine, isFollowed ? IsOverAsync : null, ct))
            if (style.Since is not { } since || line.Data.At >= since) Print(line.Data);
        Close();
        screen.Flush();

        string Path(string? cursor) => Jobs.Path(id, string.Create(CultureInfo.InvariantCulture, $"/logs?follow={(isFollowed ? "true" : "false")}"))
            + (attempt is { } number ? $"&attempt={number}" : "") + (cursor is null ? "" : $"&after={Uri.EscapeDataString(cursor)}");

        async Task<bool> IsOverAsync(CancellationToken ct) =>
            (await server.GetAsync(Jobs.Path(id), PucesServer.Json.JobDetail, StartDaemon.AfterCrash, ct)).Job.IsOver;
    }

    public void Print(LogLine line)
    {
        if (!HasPrinted) screen.Status(null);
        HasPrinted = true;
        if (style.IsJson)
        {
            screen.Line(JsonSerializer.Serialize(line, ContractJson.Default.LogLine));
            return;
        }
        if (line.Stream == "puces")
        {
            Close();
            screen.Note(screen.PaintNote($"{Prefix(line)}puces: {line.Text}", Tint.Dim));
            return;
        }
        var source = (line.Attempt, line.Rank, line.Stream);
        var goesOn = _open == source;
        if (!goesOn) Close();
        screen.Raw(goesOn ? line.Text : Prefix(line) + line.Text, toError: line.Stream == "err", endsLine: !line.IsPartial);
        _open = line.IsPartial ? source : null;
    }

    private void Close()
    {
        if (_open is { } open) screen.Raw("", toError: open.Stream == "err", endsLine: true);
        _open = null;
    }

    private string Prefix(LogLine line)
    {
        var time = style.HasTimes ? line.At.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff ", CultureInfo.InvariantCulture) : "";
        return style.IsGang ? $"{time}[{line.Rank}] " : time;
    }
}
