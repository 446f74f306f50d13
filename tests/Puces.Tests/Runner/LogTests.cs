using System.Diagnostics;
using System.Text;
using Puces.Core.Contract;
using Puces.Runner.Logs;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class LogTests : RunnerSuite
{
    private const int Limit = 32 * 1024;

    private List<string> Read(long from, out long gap, out long dropped)
    {
        var lines = new List<string>();
        var buffer = new byte[64 * 1024];
        using var reader = new LogReader(Root, from);
        (gap, dropped) = (0, 0);
        var expected = from;
        while (reader.Read(buffer, out var at, out var lost) is var read && read > 0)
        {
            gap += at - expected;
            dropped += lost;
            expected = at + read;
            lines.AddRange(Encoding.UTF8.GetString(buffer, 0, read).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        return lines;
    }

    private static byte[] Line(int i) => Encoding.UTF8.GetBytes($"line {i}\n");

    [Fact]
    public void What_is_dropped_is_counted_and_offsets_go_on_as_if_it_were_there()
    {
        using var log = new LogWriter(Root, Limit);
        for (var i = 0; i < 10_000; i++)
        {
            log.Take(0, Line(i));
            if (i % 7 == 0) log.Flush();
        }
        log.Flush();
        var kept = Directory.EnumerateFiles(Root, "log.*").Sum(file => new FileInfo(file).Length);
        Assert.InRange(kept, Limit / 2, Limit);
        var lines = Read(0, out var gap, out var dropped);
        Assert.Equal(10_000, lines.Count + dropped);
        Assert.Equal(log.Length, kept + gap);
        Assert.EndsWith("line 0", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("line 9999", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_reader_that_keeps_up_misses_nothing()
    {
        using var log = new LogWriter(Root, Limit);
        using var reader = new LogReader(Root, 0);
        var buffer = new byte[64 * 1024];
        var seen = new StringBuilder();
        for (var i = 0; i < 5_000; i++)
        {
            log.Take(0, Line(i));
            if (i % 100 != 0) continue;
            log.Flush();
            while (reader.Read(buffer, out var at, out var dropped) is var read && read > 0)
            {
                Assert.Equal((seen.Length, 0), (at, dropped));
                seen.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        Assert.Equal(4901, seen.ToString().Count(c => c == '\n'));
    }

    [Fact]
    public void Reading_may_begin_at_any_line()
    {
        using var log = new LogWriter(Root, Limit);
        for (var i = 0; i < 300; i++) log.Take(i % 2, Line(i));
        log.Flush();
        var all = Read(0, out _, out _);
        var offset = 0L;
        foreach (var line in all.Take(150)) offset += line.Length + 1;
        Assert.Equal(all.Skip(150), Read(offset, out var gap, out _));
        Assert.Equal(0, gap);
    }

    [Fact]
    public void The_agent_says_how_much_of_a_log_was_dropped_before_it_could_be_read()
    {
        var first = Agent();
        first.Say(new ToNode.Start(Order(1, "echo ready; sleep 1; seq 1 20000; sleep 60", logLimit: Limit)));
        first.UntilLogged("1-1.0", "ready");
        first.Kill();
        var heard = first.LogOf("1-1.0").Length;
        var folder = Path.Combine(Root, "ranks", "1-1.0");
        Assert.True(Eventually(() => LogReader.Length(folder) > 20_000 * "2026-11-23T09:47:00.123456Z o 1\n".Length));
        var second = Agent();
        second.Say(new ToNode.Follow("1-1.0", heard));
        second.UntilLogged("1-1.0", " o 20000\n");
        var messages = second.All.OfType<FromNode.Log>().ToList();
        Assert.Equal(20000, messages.Sum(m => m.DroppedLines) + second.Lines("1-1.0", 'o').Length);
        Assert.True(messages.Single(m => m.DroppedLines > 0).Offset > heard);
    }

    [Fact]
    public void A_full_disk_costs_lines_that_are_counted_and_neither_the_job_nor_its_verdict()
    {
        Assert.SkipUnless(Environment.UserName == "root" && OperatingSystem.IsLinux(), "mounting a small disk needs root");
        using var mount = Process.Start("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", Root]);
        mount.WaitForExit();
        Assert.SkipUnless(mount.ExitCode == 0, "this machine does not let even root mount a small disk");
        try
        {
            var agent = Agent();
            agent.Say(new ToNode.Start(Order(1, "echo first; head -c 1M /dev/zero > big 2> /dev/null || :; seq 1 2000; sleep 1; rm big; echo room; sleep 2; seq 1 3; exit 4", logLimit: 1 << 20)));
            Assert.Equal(4, agent.UntilOver("1-1.0").Verdict!.ExitCode);
            Assert.Contains(agent.Lines("1-1.0", 'p'), line => line.Contains("lines lost here: the disk was full", StringComparison.Ordinal));
            var lost = agent.Lines("1-1.0", 'p').Sum(line => line.Contains("lost here", StringComparison.Ordinal) ? int.Parse(line.Split(' ')[1]) : 0);
            Assert.Equal(1 + 2000 + 1 + 3, lost + agent.Lines("1-1.0", 'o').Length);
            agent.Dispose();
        }
        finally
        {
            foreach (var pid in Processes(Root)) Kill(pid);
            using var unmount = Process.Start("umount", ["-l", Root]);
            unmount.WaitForExit();
        }
    }
}
