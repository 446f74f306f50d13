namespace Puces.Runner.Containers;

/// <summary>
/// A container engine, as its command line: what to say to it, each time a program and its arguments. Nothing is run here;
/// <see cref="Container"/> does that.
/// </summary>
internal abstract class Engine
{
    /// <summary>Its program, and what it is called in messages and in <c>PUCES_ENGINES</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Its containers are run by somebody else: they are no processes below the one that starts them, and stay when that ends.</summary>
    public abstract bool IsApart { get; }

    /// <summary>Succeeds where the engine works here and for this user.</summary>
    public abstract IReadOnlyList<string> Probe { get; }

    /// <summary>Succeeds where the image is on this node.</summary>
    public abstract IReadOnlyList<string> Has(Box box);

    public abstract IReadOnlyList<string> Pull(Box box);

    /// <summary>The file that <see cref="Pull"/> writes before it is moved to its place; null for engines that keep images themselves.</summary>
    public virtual (string Pulled, string Kept)? ImageFile(Box box) => null;

    /// <summary>Makes the container; null where there is nothing to make before it starts.</summary>
    public abstract IReadOnlyList<string>? Create(Box box);

    /// <summary>Starts it, hands through its streams, and ends with its exit code.</summary>
    public abstract IReadOnlyList<string> Start(Box box);

    /// <summary>Takes it away, whatever state it is in. Succeeds where there is none.</summary>
    public abstract IReadOnlyList<string>? Remove(string name);

    /// <summary>Sends its first process a signal.</summary>
    public virtual IReadOnlyList<string> Kill(string name, string signal) => [];

    /// <summary>Prints its state, the number of its first process, its exit code, whether it ran out of memory, its id, and what the engine says of it.</summary>
    public virtual IReadOnlyList<string> Inspect(string name) => [];

    /// <summary>Variables that the engine's own program is given, so that none stands in a command line.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> ForProgram(Box box) => [];

    /// <summary>The lines of <see cref="Box.VariablesFile"/>; none where the engine takes no such file.</summary>
    public virtual IEnumerable<string> VariableLines(Box box) => [];

    /// <summary>An image's name in a file name.</summary>
    protected static string FileName(string image) => string.Concat(image.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '+'));
}
