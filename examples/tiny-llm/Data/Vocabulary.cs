namespace TinyLlm.Data;

/// <summary>The characters that the model knows, in ordinal order; token 0 stands for all others where there are any.</summary>
public sealed class Vocabulary
{
    /// <summary>What token 0 is shown as.</summary>
    public const char Unknown = '\uFFFD';

    /// <summary>A character seen fewer times than this in the text is not worth a token.</summary>
    public const int Rare = 10;

    private readonly Dictionary<char, int> _tokens;

    /// <summary>The vocabulary of a model whose tokens are <paramref name="characters"/>.</summary>
    public Vocabulary(string characters)
    {
        Characters = characters;
        _tokens = characters.Select((character, token) => (character, token)).ToDictionary(pair => pair.character, pair => pair.token);
    }

    /// <summary>The character of each token.</summary>
    public string Characters { get; }

    /// <summary>Number of tokens.</summary>
    public int Count => Characters.Length;

    /// <summary>The vocabulary that suits a text.</summary>
    public static Vocabulary Of(string text)
    {
        var counts = text.Where(character => character != Unknown).CountBy(character => character).ToArray();
        var known = counts.Where(pair => pair.Value >= Rare).Select(pair => pair.Key).Order().ToArray();
        bool all = known.Length == counts.Length && !text.Contains(Unknown);
        return new(all ? new string(known) : Unknown + new string(known));
    }

    /// <summary>The tokens of a text.</summary>
    public int[] Encode(string text) => [.. text.Select(character => _tokens.GetValueOrDefault(character))];
}
