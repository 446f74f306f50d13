namespace Puces.Cli.Packing;

/// <summary>
/// The ignore files that hold in one folder: its own, and those of the folders above. The last pattern that matches decides;
/// <c>.pucesignore</c> comes after <c>.gitignore</c> and so may take back what git leaves out.
/// </summary>
internal sealed class IgnoreRules
{
    public static readonly IReadOnlyList<string> FileNames = [".gitignore", ".pucesignore"];

    private readonly IgnoreRules? _above;
    private readonly string _folder;
    private readonly List<IgnorePattern> _patterns;

    private IgnoreRules(IgnoreRules? above, string folder, List<IgnorePattern> patterns) =>
        (_above, _folder, _patterns) = (above, folder, patterns);

    /// <summary>The rules at the root of a tree: with those of the git work tree around it, if it is in one.</summary>
    public static IgnoreRules AtRoot(string root, bool withFoldersAbove)
    {
        IgnoreRules? rules = null;
        if (withFoldersAbove)
        {
            var above = new Stack<string>();
            for (var folder = Path.GetDirectoryName(root); folder is not null && !IsWorkTree(root); folder = Path.GetDirectoryName(folder))
            {
                above.Push(folder);
                if (!IsWorkTree(folder)) continue;
                while (above.TryPop(out var next)) rules = new(rules, next, Read(next));
                break;
            }
        }
        return new(rules, root, Read(root));
    }

    /// <summary>The rules in a folder below; the same where it has no ignore file.</summary>
    public IgnoreRules Below(string folder) => Read(folder) is { Count: > 0 } patterns ? new(this, folder, patterns) : this;

    public bool Leaves(string path, bool isFolder)
    {
        for (var rules = this; rules is not null; rules = rules._above)
        {
            var relative = path.AsSpan(rules._folder.Length).TrimStart('/');
            for (var i = rules._patterns.Count - 1; i >= 0; i--)
                if (rules._patterns[i].Matches(relative, isFolder)) return !rules._patterns[i].IsNegated;
        }
        return false;
    }

    // A file in place of the folder is a linked work tree or a submodule.
    private static bool IsWorkTree(string folder) => Path.Exists(Path.Combine(folder, ".git"));

    private static List<IgnorePattern> Read(string folder)
    {
        var patterns = new List<IgnorePattern>();
        foreach (var name in FileNames)
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path)) continue;
            foreach (var line in File.ReadLines(path))
                if (IgnorePattern.Parse(line) is { } pattern) patterns.Add(pattern);
        }
        return patterns;
    }
}
