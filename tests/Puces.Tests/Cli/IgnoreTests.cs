using Puces.Cli.Packing;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class IgnoreTests : IDisposable
{
    private readonly Desk _desk = new();

    // Answers of git check-ignore 2.39 for each of these.
    [Theory]
    [InlineData("*.o", "a.o s/a.o", "a.c")]
    [InlineData("/build/", "build/", "s/build/ build")]
    [InlineData("node_modules/", "node_modules/ s/node_modules/", "node_modules")]
    [InlineData("data/*.bin", "data/1.bin", "s/data/1.bin data/s/1.bin")]
    [InlineData("/*.md", "r.md", "s/r.md")]
    [InlineData("doc/frotz", "doc/frotz", "s/doc/frotz")]
    [InlineData("**/x", "x s/x a/b/x", "xx")]
    [InlineData("x/**", "x/y x/y/z", "x/ s/x/y")]
    [InlineData("a/**/b", "a/b a/x/b a/x/y/b", "s/a/b ab")]
    [InlineData("**.log", "z.log s/z.log", "log")]
    [InlineData("ab**cd", "abcd abxcd", "ab/x/cd")]
    [InlineData("a?c", "abc s/abc", "ac a/c")]
    [InlineData("[a-c].txt", "a.txt s/b.txt", "d.txt")]
    [InlineData("[!a]b", "cb", "ab")]
    [InlineData("[[:digit:]]x", "1x", "ax")]
    [InlineData("a\\*b", "a*b", "axb")]
    [InlineData("\\#c", "#c", "c")]
    [InlineData("\\!d", "!d", "d")]
    [InlineData("t.txt  ", "t.txt", "t.txtx")]
    [InlineData("foo\\ ", "foo\\_", "foo")]
    public void A_pattern_matches_what_git_says(string pattern, string matched, string others)
    {
        var parsed = IgnorePattern.Parse(pattern)!;
        foreach (var path in matched.Split(' ')) Assert.True(Matches(path.Replace("\\_", " ", StringComparison.Ordinal)), path);
        foreach (var path in others.Split(' ')) Assert.False(Matches(path), path);

        bool Matches(string path) => parsed.Matches(path.TrimEnd('/'), path.EndsWith('/'));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# a comment")]
    [InlineData("   ")]
    [InlineData("/")]
    public void A_line_that_says_nothing_is_no_pattern(string line) => Assert.Null(IgnorePattern.Parse(line));

    [Fact]
    public void Ignore_files_hold_below_their_folder_and_the_last_match_decides()
    {
        _desk.Write(".gitignore", "*.bin\nout/\n");
        _desk.Write("model.bin", "x");
        _desk.Write("keep/.gitignore", "!tiny.bin\n");
        _desk.Write("keep/tiny.bin", "x");
        _desk.Write("keep/big.bin", "x");
        _desk.Write("out/a.txt", "x");
        _desk.Write("s/out/a.txt", "x");
        _desk.Write("a.py", "x");
        Assert.Equal([".gitignore", "a.py", "keep", "keep/.gitignore", "keep/tiny.bin", "s"], Names());
    }

    [Fact]
    public void Pucesignore_comes_after_gitignore_and_may_take_back()
    {
        _desk.Write(".gitignore", "data.txt\n");
        _desk.Write(".pucesignore", "!data.txt\nnotes.md\n");
        _desk.Write("data.txt", "x");
        _desk.Write("notes.md", "x");
        Assert.Equal([".gitignore", ".pucesignore", "data.txt"], Names());
    }

    [Fact]
    public void The_work_tree_around_a_work_directory_rules_it_too_but_not_a_mount()
    {
        _desk.Write(".git/config", "");
        _desk.Write(".gitignore", "bin/\n");
        _desk.Write("example/bin/a", "x");
        _desk.Write("example/a.py", "x");
        var root = Path.Combine(_desk.Folder, "example");
        Assert.Equal(["a.py"], Tree.Scan(root, "", true, []).Entries.Select(e => e.Name));
        Assert.Equal(["example", "example/a.py", "example/bin", "example/bin/a"], Tree.Scan(root, "example", false, []).Entries.Select(e => e.Name));
    }

    [Fact]
    public void The_git_folder_and_the_daemons_own_data_stay_here()
    {
        _desk.Write(".git/config", "x");
        _desk.Write("state/queue.db", "x");
        _desk.Write("a.py", "x");
        Assert.Equal(["a.py"], Tree.Scan(_desk.Folder, "", true, [Path.Combine(_desk.Folder, "state")]).Entries.Select(e => e.Name));
    }

    public void Dispose() => _desk.Dispose();

    private IEnumerable<string> Names() => Tree.Scan(_desk.Folder, "", true, []).Entries.Select(e => e.Name);
}
