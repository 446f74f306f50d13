using System.Text;

namespace TinyLlm.Data;

/// <summary>A text in two parts: one to learn from, and one, the last tenth, to measure on.</summary>
/// <param name="Source">Where it is from.</param>
/// <param name="Files">Number of files read.</param>
/// <param name="Training">The part to learn from.</param>
/// <param name="Validation">The part that the model never learns from.</param>
public sealed record Corpus(string Source, int Files, string Training, string Validation)
{
    private static readonly string[] Kinds = [".md", ".cs", ".txt"];
    private static readonly string[] Skipped = ["bin", "obj", "checkpoints", "node_modules"];

    /// <summary>
    /// Reads a file, or all *.md, *.cs and *.txt files below a folder in ordinal order of their paths, without build
    /// outputs and hidden folders. Of each file the last tenth is for validation, so that both parts hold every kind of text.
    /// </summary>
    /// <exception cref="InvalidSettingException">Nothing to read there.</exception>
    public static Corpus Read(string path)
    {
        string[] files = File.Exists(path) ? [path]
            : Directory.Exists(path) ? [.. Below(path)]
            : throw new InvalidSettingException($"TEXT: there is no file or folder '{path}'");
        if (files.Length == 0)
        {
            throw new InvalidSettingException($"TEXT: no *.md, *.cs or *.txt file below '{path}'");
        }

        StringBuilder training = new(), validation = new();
        foreach (string file in files)
        {
            string text = File.ReadAllText(file).ReplaceLineEndings("\n");
            int cut = Cut(text);
            training.Append(text, 0, cut);
            validation.Append(text, cut, text.Length - cut);
        }

        return new(path, files.Length, training.ToString(), validation.ToString());
    }

    private static IEnumerable<string> Below(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
        .Where(file => Kinds.Contains(Path.GetExtension(file)))
        .Where(file => !file.Split('/').SkipLast(1).Any(part => part.StartsWith('.') || Skipped.Contains(part)))
        .Order(StringComparer.Ordinal)
        .Select(file => Path.Combine(folder, file));

    /// <summary>Nine tenths, or the next end of a line if one is near.</summary>
    private static int Cut(string text)
    {
        int cut = (int)(text.Length * 9L / 10);
        int line = text.IndexOf('\n', cut, Math.Min(200, text.Length - cut));
        return line < 0 ? cut : line + 1;
    }
}
