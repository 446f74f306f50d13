using System.Text;
using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Server.Dashboard;
using Xunit;

namespace Puces.Tests.Server;

public sealed class PagesTests
{
    private const string Nasty = "<img src=x onerror=alert(1)>\"'&";
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 9, 47, 0, TimeSpan.Zero);

    private static readonly JobView Job = new(
        42, Nasty, Nasty, Nasty, "queued", 0, Nasty, Now, Position: 1, Reason: Nasty, Nodes: Nasty, Attempt: 1, Started: Now, Ended: Now.AddSeconds(90),
        ExitCode: 1, Checkpoint: Nasty, IsVirtual: true);

    private static readonly ServerInfo Info = new(Nasty, Nasty, true, Now, 1, 1, [new(Nasty, false, Nasty)]);

    private static readonly PoolList Pools = new(
        [new(Nasty, Nasty, true, [new(Nasty, false, true, Nasty, 8, 3, 16, 4, 1L << 36, 1L << 35, [42], Nasty)], 8, 3, Nasty)]);

    private static JobDetail Detail => new(Job, new(Nasty, new(Script: Nasty)), [new(1, [Nasty], Now, Now, Now.AddSeconds(90), 1, Nasty, 2, 1 << 30, Nasty)]);

    [Fact]
    public void Whatever_people_write_is_shown_as_text()
    {
        string[] pages =
        [
            Pages.Overview(Pools, [Job], [Job], [Job], Info), Pages.OverviewFragment(Pools, [Job], [Job], [Job], Info),
            Pages.Job(Detail, new(Job, Nasty, [Nasty], [Nasty])), Pages.JobFragment(Detail, new(Job, Nasty, [Nasty], [Nasty])), Pages.Login(Nasty),
        ];
        foreach (var page in pages)
        {
            Assert.DoesNotContain("<img src=x", page, StringComparison.Ordinal);
            Assert.DoesNotContain("\"'&", page, StringComparison.Ordinal);
            Assert.Contains("&lt;img src=x", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Pages_hold_no_script_and_no_style_of_their_own()
    {
        foreach (var page in (string[])[Pages.Overview(Pools, [Job], [], [], Info), Pages.Job(Detail, null), Pages.Login(null)])
        {
            Assert.DoesNotMatch(new Regex("<script(?![^>]*src=)|<style| style=|<[a-z][^>]* on[a-z]+="), page);
            foreach (Match link in Regex.Matches(page, "/assets/([a-z.]+)")) Assert.NotNull(Pages.Asset(link.Groups[1].Value));
        }
    }

    [Fact]
    public void The_overview_says_what_is_free_who_waits_and_why()
    {
        var job = Job with { Name = "train", Reason = "needs 8 H100; 3 are free" };
        var page = Pages.Overview(Pools, [job], [], [], Info);
        Assert.Contains("<a href=\"/jobs/42\">42 train</a>", page, StringComparison.Ordinal);
        Assert.Contains("needs 8 H100; 3 are free", page, StringComparison.Ordinal);
        Assert.Contains("virtual", page, StringComparison.Ordinal);
        Assert.Contains("Nothing runs.", page, StringComparison.Ordinal);
    }

    [Fact]
    public void An_asset_is_found_by_its_name_only()
    {
        Assert.Contains("EventSource", Encoding.UTF8.GetString(Pages.Asset("puces.js")!.Value.Body), StringComparison.Ordinal);
        Assert.Null(Pages.Asset("../token"));
        Assert.Null(Pages.Asset("other.js"));
        Assert.Null(Pages.Asset(""));
    }
}
