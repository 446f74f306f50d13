using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Tests.Cli;
using Puces.Tests.Jobs;
using Xunit;

namespace Puces.Tests.Server;

/// <summary>Whatever people and programs get wrong: each case of the table is done to the real daemon, and must give exactly the words in it.</summary>
public sealed partial class BadInputTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IDisposable
{
    private const string Table = "tests/Puces.Tests/Server/bad-input.txt";

    private readonly Desk _desk = new() { Patience = TimeSpan.FromMilliseconds(200) };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [GeneratedRegex(@"«(.+?)×(\d+)»")]
    private static partial Regex Many { get; }

    [GeneratedRegex(@"\\x([0-9A-F]{2})")]
    private static partial Regex Byte { get; }

    [GeneratedRegex("'([^']*)'|[^ ]+")]
    private static partial Regex Word { get; }

    // An archive that was just packed; one of zeros is of the table itself.
    [GeneratedRegex("(?!0{64})[0-9a-f]{64}")]
    private static partial Regex Sha { get; }

    [Fact]
    public async Task Each_mistake_is_answered_in_the_words_of_the_table_and_the_daemon_is_unharmed()
    {
        var pid = daemon.Process.Pid;
        var cases = Cases();
        Assert.InRange(cases.Count, 100, int.MaxValue);
        _desk.Variables["PUCES_URL"] = daemon.Process.Url;
        _desk.Variables["PUCES_TOKEN"] = daemon.Process.Token;
        Directory.CreateDirectory(Path.Combine(_desk.Folder, "empty"));
        var (actual, wrong) = (new StringBuilder(Checkout.Read(Table).Split("=== ")[0]), new StringBuilder());
        foreach (var (title, input, expected) in cases)
        {
            var output = Plain(await AnswerAsync(input)).TrimEnd('\n') + "\n";
            actual.Append($"=== {title}\n{input}--->\n{output}");
            if (output != expected) wrong.Append($"{title}\n--- expected\n{expected}--- came\n{output}\n");
        }
        if (Checkout.IsUpdating) Checkout.Write(Table, actual.ToString());
        else Assert.Equal("", wrong.ToString());
        Assert.Equal(pid, daemon.Process.Pid);
        Assert.False(daemon.Process.HasExited);
        var job = await daemon.Process.SubmitAsync("echo well", Ct);
        Assert.Equal("succeeded", (await daemon.Process.EndAsync(job.Id, Ct)).Job.State);
        Assert.DoesNotContain("\"LogLevel\":\"Error\"", await File.ReadAllTextAsync(daemon.Process.ErrorFile, Ct), StringComparison.Ordinal);
    }

    public void Dispose() => _desk.Dispose();

    private static List<(string Title, string Input, string Expected)> Cases() =>
        [.. Checkout.Read(Table).Split("=== ")[1..].Select(part =>
        {
            var title = part[..part.IndexOf('\n')];
            var halves = part[(title.Length + 1)..].Split("--->\n");
            return (title, halves[0], halves.ElementAtOrDefault(1) ?? "");
        })];

    private Task<string> AnswerAsync(string input)
    {
        var lines = input.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines[0] switch
        {
            ['$', ' ', .. var command] => CommandAsync(command, lines[1..]),
            "RAW" => RawAsync(lines[1..]),
            ['U', 'N', 'P', 'A', 'C', 'K', ' ', .. var archive] => UnpackAsync(EvilArchives.Of(archive)),
            _ => RequestAsync(lines),
        };
    }

    /// <summary>A method and a path, headers, and after the word BODY or ARCHIVE what is sent.</summary>
    private async Task<string> RequestAsync(string[] lines)
    {
        byte[]? body = null;
        var headers = new List<string[]>();
        foreach (var line in lines[1..])
        {
            if (line.StartsWith("BODY ", StringComparison.Ordinal)) body = BytesOf(line[5..]);
            else if (line.StartsWith("ARCHIVE ", StringComparison.Ordinal)) body = EvilArchives.Of(line[8..]);
            else headers.Add(line.Split(": ", 2));
        }
        var words = lines[0].Split(' ', 2);
        var request = new HttpRequestMessage(new(words[0]), words[1].Replace("SHA", EvilArchives.Sha(body ?? []), StringComparison.Ordinal));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            if (!headers.Exists(h => h[0] == "Content-Type")) request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        foreach (var header in headers)
            if (!request.Headers.TryAddWithoutValidation(header[0], Expand(header[1]))) request.Content?.Headers.TryAddWithoutValidation(header[0], Expand(header[1]));
        var reply = await daemon.SendAsync(request, Ct);
        return reply.Type == "application/problem+json" ? Show(reply.Status, reply.Problem) : $"{reply.Status} without a problem: {reply.Text}\n";
    }

    /// <summary>Lines as they go over the wire; TOKEN is the right one.</summary>
    private async Task<string> RawAsync(string[] lines)
    {
        var url = new Uri(daemon.Process.Url);
        using var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port, Ct);
        var stream = client.GetStream();
        await stream.WriteAsync(BytesOf(string.Join("\r\n", lines).Replace("TOKEN", daemon.Process.Token, StringComparison.Ordinal) + "\r\n\r\n"), Ct);
        using var reader = new StreamReader(stream);
        var text = await reader.ReadToEndAsync(Ct);
        var status = text.Split("\r\n")[0];
        return text.IndexOf('{', StringComparison.Ordinal) is >= 0 and var start
            ? Show(int.Parse(status.Split(' ')[1], CultureInfo.InvariantCulture), JsonSerializer.Deserialize(text[start..(text.LastIndexOf('}') + 1)], ContractJson.Default.Problem)!)
            : status + "\n";
    }

    /// <summary>An archive that has come past the daemon's own look at it: the runner looks again.</summary>
    private async Task<string> UnpackAsync(byte[] archive)
    {
        var sha = EvilArchives.Sha(archive);
        var path = Path.Combine(daemon.Process.Data, "blobs", sha[..2], sha);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllBytesAsync(path, archive, Ct);
        var job = await daemon.Process.SubmitAsync(new SubmitJob(new("unpack", new("true")), Workdir: sha), Ct);
        // It is tried again later, and not waited for here.
        var refused = await daemon.Process.UntilAsync(job.Id, j => j.IsOver || j is { State: "queued", Attempt: > 0 }, Ct);
        await daemon.CancelAsync(job.Id, Ct);
        File.Delete(path);
        Assert.False(File.Exists("/tmp/puces-evil"));
        Assert.DoesNotContain(Directory.EnumerateFiles(daemon.Process.Data, "evil", SearchOption.AllDirectories), _ => true);
        Assert.NotEqual("succeeded", refused.Job.State);
        Assert.EndsWith(refused.Attempts[0].Reason!, refused.Job.Reason!, StringComparison.Ordinal);
        return $"{refused.Attempts[0].Reason}\n";
    }

    /// <summary>A command as typed, with variables before it; lines that begin with a bar are the job file that it names.</summary>
    private async Task<string> CommandAsync(string line, string[] file)
    {
        var words = Word.Matches(Expand(line)).Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Value).ToList();
        var before = new Dictionary<string, string?>();
        for (; words[0].Contains('=', StringComparison.Ordinal); words.RemoveAt(0))
        {
            var pair = words[0].Split('=', 2);
            before[pair[0]] = _desk.Variables.GetValueOrDefault(pair[0]);
            _desk.Variables[pair[0]] = pair[1];
        }
        if (file.Length > 0) _desk.Write(words[^1], string.Concat(file.Select(l => l[2..] + "\n")));
        _desk.Typed = "typed\n";
        var outcome = await _desk.RunAsync([.. words.Skip(1)]);
        foreach (var (name, value) in before)
            if (value is null) _desk.Variables.TryRemove(name, out _);
            else _desk.Variables[name] = value;
        return $"exit {outcome.Code}\n{outcome.Out}{outcome.Error}";
    }

    private static string Show(int status, Problem problem)
    {
        var text = new StringBuilder($"{status} {problem.Title}\n");
        if (problem.Detail is { } detail) text.Append(detail).Append('\n');
        foreach (var error in problem.Errors ?? []) text.Append(CultureInfo.InvariantCulture, $"{error.Path}: {error.Message}\n");
        return text.ToString();
    }

    private static string Expand(string text) => Many.Replace(text, m => string.Concat(Enumerable.Repeat(m.Groups[1].Value, int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture))));

    private static byte[] BytesOf(string text)
    {
        var bytes = new List<byte>();
        var at = 0;
        var expanded = Expand(text);
        foreach (Match match in Byte.Matches(expanded))
        {
            bytes.AddRange(Encoding.UTF8.GetBytes(expanded[at..match.Index]));
            bytes.Add(byte.Parse(match.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            at = match.Index + match.Length;
        }
        bytes.AddRange(Encoding.UTF8.GetBytes(expanded[at..]));
        return [.. bytes];
    }

    /// <summary>Without what differs from run to run.</summary>
    private string Plain(string text) => Sha.Replace(text, "SHA").Replace(daemon.Process.Url.TrimEnd('/'), "http://SERVER", StringComparison.Ordinal)
        .Replace(daemon.Process.Data, "DATA", StringComparison.Ordinal).Replace(_desk.Folder, "FOLDER", StringComparison.Ordinal).Replace(_desk.Home, "HOME", StringComparison.Ordinal);
}
