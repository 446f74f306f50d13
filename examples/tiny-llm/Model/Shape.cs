namespace TinyLlm.Model;

/// <summary>The size of a transformer.</summary>
/// <param name="Vocabulary">Number of tokens that exist.</param>
/// <param name="Context">Most tokens that it sees at once.</param>
/// <param name="Width">Numbers that stand for one token between the layers.</param>
/// <param name="Layers">Number of blocks, each attention then MLP.</param>
/// <param name="Heads">Attention heads in a block; they share the width.</param>
public sealed record Shape(int Vocabulary, int Context, int Width, int Layers, int Heads)
{
    /// <summary>Numbers of the width that belong to one head.</summary>
    public int HeadWidth => Width / Heads;

    /// <summary>Width of the hidden layer of the MLP.</summary>
    public int Hidden => 4 * Width;

    /// <summary>Number of weights: embeddings, head and last layer norm, and in each block two layer norms and the matrices.</summary>
    public int Parameters => (((2 * Vocabulary) + Context + 2) * Width) + (Layers * ((12 * Width * Width) + (4 * Width)));
}
