using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Runner.Mail;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>A mailbox on this machine, and relays to it, as the daemon has them for a node that no connection leads to.</summary>
public sealed class MailTests : RunnerSuite
{
    private string Mail => Path.Combine(Root, "mail");

    [Fact]
    public void An_agent_is_spoken_to_through_a_folder()
    {
        StartMailbox();
        var relay = StartRelay();
        Assert.IsType<FromNode.Hello>(Heard(relay));
        Say(relay, new ToNode.Start(Order(1, "echo hello")));
        Assert.Equal(0, UntilOver(relay, "1-1.0").Verdict!.ExitCode);
        relay.StandardInput.Close();
        Assert.True(relay.WaitForExit(10_000));
        Assert.Equal(0, relay.ExitCode);
    }

    [Fact]
    public void A_rank_outlives_a_killed_relay_and_the_next_one_hears_its_end()
    {
        StartMailbox();
        var relay = StartRelay();
        Heard(relay);
        Say(relay, new ToNode.Start(Order(2, "sleep 1; exit 5")));
        Until(relay, m => m is FromNode.Report { Rank.Phase: RankPhase.Run });
        relay.Kill();
        var next = StartRelay();
        var rank = Assert.IsType<FromNode.Hello>(Heard(next)).Ranks.Single();
        Assert.Equal(5, (rank.Verdict is null ? UntilOver(next, rank.Tag) : rank).Verdict!.ExitCode);
    }

    [Fact]
    public void A_killed_agent_ends_its_relay_and_the_next_connection_has_another()
    {
        StartMailbox();
        var relay = StartRelay();
        Heard(relay);
        Kill(int.Parse(File.ReadAllText(Path.Combine(Root, "agent.lock"))));
        Assert.True(relay.WaitForExit(10_000));
        Assert.IsType<FromNode.Hello>(Heard(StartRelay()));
    }

    [Fact]
    public void A_newer_connection_takes_the_place_of_the_older()
    {
        StartMailbox();
        var older = StartRelay();
        Heard(older);
        Assert.IsType<FromNode.Hello>(Heard(StartRelay()));
        Assert.True(older.WaitForExit(10_000));
    }

    [Fact]
    public void When_the_time_is_over_all_ranks_save_themselves_and_none_begins()
    {
        var mailbox = StartMailbox();
        var relay = StartRelay();
        Heard(relay);
        Say(relay, new ToNode.Start(Order(3, "trap 'echo saved; exit 0' USR1; echo ready; while :; do sleep 0.1; done", checkpoint: new("USR1"))));
        Until(relay, m => m is FromNode.Log log && Encoding.UTF8.GetString(log.Data).Contains("ready", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(Mail, "stop"), "its time is over\n");
        Until(relay, m => m is FromNode.Log log && Encoding.UTF8.GetString(log.Data).Contains("saved", StringComparison.Ordinal));
        Assert.Contains("its time is over", UntilOver(relay, "3-1.0").Verdict!.Detail, StringComparison.Ordinal);
        Say(relay, new ToNode.Start(Order(4, "echo never")));
        var refused = UntilOver(relay, "4-1.0");
        Assert.Equal(RankPhase.Vanished, refused.Phase);
        Assert.Contains("its time is over", refused.Detail, StringComparison.Ordinal);
        Process.Start("kill", ["-TERM", $"{mailbox.Id}"]).WaitForExit();
        Assert.True(mailbox.WaitForExit(10_000));
        Assert.Equal(0, mailbox.ExitCode);
    }

    [Fact]
    public void Lines_come_whole_and_in_order_over_many_files_whoever_is_slower()
    {
        Directory.CreateDirectory(Root);
        var path = Path.Combine(Root, "tube");
        File.WriteAllBytes(Tube.File(path, 0), []);
        var (writer, reader) = (new TubeWriter(path), new TubeReader(path));
        var (written, heard, line) = (new MemoryStream(), new MemoryStream(), 0);
        var buffer = new byte[50_000];
        while (written.Length < Tube.Length * 5)
        {
            while (!writer.IsFull && written.Length < Tube.Length * 5)
            {
                var bytes = Encoding.ASCII.GetBytes($"{{\"line\":{++line},\"text\":\"{new string('x', line % 3000)}\"}}\n");
                Assert.True(writer.TryWrite(bytes));
                written.Write(bytes);
            }
            Drain();
        }
        Assert.True(writer.TryEnd());
        Drain();
        Assert.True(reader.IsEnded);
        Assert.True(written.ToArray().AsSpan().SequenceEqual(heard.ToArray()));
        Assert.Single(Directory.EnumerateFiles(Root, "tube.*"));

        void Drain()
        {
            for (int quiet = 0, read; quiet < 2; quiet = read > 0 ? 0 : quiet + 1) heard.Write(buffer, 0, read = reader.Read(buffer));
        }
    }

    private Process StartMailbox()
    {
        var mailbox = Start("mailbox", Mail, "--root", Root, "--blobs", Path.Combine(Root, "blobs"));
        Assert.True(Eventually(() => File.Exists(Path.Combine(Mail, "here")) && new FileInfo(Path.Combine(Mail, "here")).Length > 0));
        return mailbox;
    }

    private Process StartRelay() => Start("relay", Mail);

    // What is left of them is ended with the test: the folder stands in their command lines.
    private static Process Start(params string[] arguments) =>
        Process.Start(new ProcessStartInfo(RunnerProcess.Program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static void Say(Process relay, ToNode message)
    {
        relay.StandardInput.WriteLine(JsonSerializer.Serialize(message, RunnerJson.Default.ToNode));
        relay.StandardInput.Flush();
    }

    private static FromNode Heard(Process relay)
    {
        var line = relay.StandardOutput.ReadLineAsync();
        Assert.True(line.Wait(TimeSpan.FromSeconds(20)), "the agent says nothing");
        return JsonSerializer.Deserialize(line.Result ?? throw new EndOfStreamException("the agent has gone"), RunnerJson.Default.FromNode)!;
    }

    private static FromNode Until(Process relay, Predicate<FromNode> isIt)
    {
        while (true)
            if (Heard(relay) is var message && isIt(message)) return message;
    }

    private static RankReport UntilOver(Process relay, string tag) => ((FromNode.Report)Until(relay, m =>
        m is FromNode.Report { Rank: var rank } && rank.Tag == tag && rank.Phase is RankPhase.Ended or RankPhase.Vanished or RankPhase.Refused)).Rank;
}
