using System.Text;
using Puces.Core.Contract;
using Puces.Server.Logs;
using Xunit;

namespace Puces.Tests.Server;

public sealed class LogBookTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("puces-logs-").FullName;
    private readonly LogBook _book;

    public LogBookTests() => _book = new(_folder);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Record(int second, string text, char stream = 'o') => $"2026-11-23T09:47:{second:00}.123456Z {stream} {text}\n";

    private static FromNode.Log Chunk(string text, long offset = 0, string tag = "7-1.0", bool isLast = false, long dropped = 0) =>
        new(tag, offset, Encoding.UTF8.GetBytes(text), isLast, dropped);

    private static async Task<List<LogLine>> ReadAsync(LogBook book, string? after = null, int? attempt = null)
    {
        var lines = new List<LogLine>();
        await foreach (var line in book.ReadAsync(new(7), attempt, after, false, () => true, () => Task.CompletedTask, Ct)) lines.Add(line);
        return lines;
    }

    [Fact]
    public async Task Chunks_that_follow_are_kept_and_what_comes_twice_is_kept_once()
    {
        var (first, second) = (Record(1, "one"), Record(2, "two"));
        Assert.True(_book.Append(Chunk(first), out _));
        Assert.True(_book.Append(Chunk(first + second), out _));
        Assert.True(_book.Append(Chunk(first), out var expected));
        Assert.Equal(first.Length + second.Length, expected);
        Assert.Equal(["one", "two"], (await ReadAsync(_book)).Select(l => l.Text));
    }

    [Fact]
    public void A_chunk_that_does_not_follow_is_asked_for_again()
    {
        _book.Append(Chunk(Record(1, "one")), out _);
        Assert.False(_book.Append(Chunk(Record(3, "three"), offset: 1000), out var expected));
        Assert.Equal(Record(1, "one").Length, expected);
        Assert.False(_book.IsComplete("7-1.0"));
    }

    [Fact]
    public async Task Dropped_lines_leave_a_visible_word_and_offsets_go_on_even_after_a_restart()
    {
        _book.Append(Chunk(Record(1, "one")), out _);
        Assert.True(_book.Append(Chunk(Record(9, "nine"), offset: 5000, dropped: 42), out var expected));
        Assert.Equal(5000 + Record(9, "nine").Length, expected);
        _book.Forget("7-1.0");

        var again = new LogBook(_folder);
        Assert.Equal(expected, again.Length("7-1.0"));
        Assert.True(again.Append(Chunk(Record(10, "ten"), expected), out _));
        var lines = await ReadAsync(again);
        Assert.Equal(["out", "puces", "out", "out"], lines.Select(l => l.Stream));
        Assert.Contains("42 lines", lines[1].Text, StringComparison.Ordinal);
        Assert.Equal(lines[2].At, lines[1].At);
    }

    [Fact]
    public async Task A_record_that_a_crash_has_cut_is_completed_by_what_comes_after()
    {
        var all = Record(1, "one") + Record(2, "two");
        _book.Append(Chunk(all[..^3]), out _);
        Assert.Single(await ReadAsync(_book));
        var again = new LogBook(_folder);
        Assert.Equal(all.Length - 3, again.Length("7-1.0"));
        Assert.True(again.Append(Chunk(all[^3..], all.Length - 3), out _));
        Assert.Equal(["one", "two"], (await ReadAsync(again)).Select(l => l.Text));
    }

    [Fact]
    public async Task Attempts_follow_one_another_and_ranks_are_merged_by_time()
    {
        _book.Append(Chunk(Record(9, "late"), tag: "7-2.0"), out _);
        _book.Append(Chunk(Record(1, "a") + Record(4, "d"), tag: "7-1.0"), out _);
        _book.Append(Chunk(Record(2, "b") + Record(3, "c"), tag: "7-1.1"), out _);
        Assert.Equal(["a", "b", "c", "d", "late"], (await ReadAsync(_book)).Select(l => l.Text));
        Assert.Equal(["late"], (await ReadAsync(_book, attempt: 2)).Select(l => l.Text));
    }

    [Fact]
    public async Task From_any_line_on_the_rest_comes_exactly_once()
    {
        _book.Append(Chunk(Record(1, "a") + Record(4, "d"), tag: "7-1.0"), out _);
        _book.Append(Chunk(Record(2, "b") + Record(3, "c"), tag: "7-1.1"), out _);
        _book.Append(Chunk(Record(5, "e"), tag: "7-2.0"), out _);
        var all = await ReadAsync(_book);
        for (var i = 0; i < all.Count; i++)
            Assert.Equal(all.Skip(i + 1).Select(l => l.Text), (await ReadAsync(_book, all[i].Cursor)).Select(l => l.Text));
    }

    [Fact]
    public async Task A_follower_gets_lines_as_they_come_and_ends_with_the_job()
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _book.Append(Chunk(Record(1, "one")), out var at);
        await using var lines = _book.ReadAsync(new(7), null, null, true, () => over.Task.IsCompleted, () => over.Task, Ct).GetAsyncEnumerator(Ct);
        Assert.True(await lines.MoveNextAsync());
        var next = lines.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        _book.Append(Chunk(Record(2, "two", 'E'), at, isLast: true), out _);
        Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(10), Ct));
        Assert.Equal(("err", "two", true), (lines.Current.Stream, lines.Current.Text, lines.Current.IsPartial));
        next = lines.MoveNextAsync().AsTask();
        over.SetResult();
        Assert.False(await next.WaitAsync(TimeSpan.FromSeconds(10), Ct));
    }

    [Fact]
    public void A_log_that_cannot_be_written_is_said_once_and_asked_for_again()
    {
        // A file where the folder should be.
        var blocked = Path.Combine(_folder, "blocked");
        File.WriteAllText(blocked, "");
        var book = new LogBook(blocked);
        var problems = new List<string>();
        book.Problem += problems.Add;
        Assert.False(book.Append(Chunk(Record(1, "one")), out var expected));
        Assert.False(book.Append(Chunk(Record(1, "one")), out _));
        Assert.Equal(0, expected);
        Assert.Single(problems);
    }

    [Fact]
    public async Task A_deleted_log_is_gone_and_deleting_it_again_is_no_error()
    {
        _book.Append(Chunk(Record(1, "one"), isLast: true), out _);
        await _book.DeleteAsync(new(7));
        await _book.DeleteAsync(new(7));
        Assert.Empty(await ReadAsync(_book));
        Assert.Empty(Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_shown_as_such_and_stop_nothing()
    {
        byte[] data = [.. "2026-11-23T09:47:01.123456Z o a"u8, 0xFF, .. "b\n"u8, .. "nonsense\n"u8, .. Encoding.UTF8.GetBytes(Record(2, "two"))];
        _book.Append(new("7-1.0", 0, data, true), out _);
        Assert.Contains("a\uFFFDb", (await ReadAsync(_book)).Select(l => l.Text));
        Assert.Contains("two", (await ReadAsync(_book)).Select(l => l.Text));
        Assert.True(_book.IsComplete("7-1.0"));
    }
}
