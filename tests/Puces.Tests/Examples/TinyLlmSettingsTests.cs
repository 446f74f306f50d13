using TinyLlm;
using TinyLlm.Data;
using Xunit;

namespace Puces.Tests.Examples;

public sealed class TinyLlmSettingsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tiny-llm-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("WIDTH", "100", "WIDTH must be a multiple of HEADS: 100 is not one of 8")]
    [InlineData("STEPS", "many", "STEPS must be a number from 1 to 10000000, not 'many'")]
    [InlineData("BATCH", "0", "BATCH must be a number from 1 to 4096, not '0'")]
    [InlineData("LEARNING_RATE", "NaN", "LEARNING_RATE must be a number from 1E-08 to 1, not 'NaN'")]
    [InlineData("LAYERS", "2.5", "LAYERS must be a number from 1 to 64, not '2.5'")]
    public void A_bad_value_is_refused_with_what_would_be_right(string name, string value, string message)
    {
        var variables = new Dictionary<string, string> { ["TEXT"] = "text", ["HEADS"] = "8", [name] = value };

        var refusal = Assert.Throws<InvalidSettingException>(() => Settings.Read(variables.GetValueOrDefault));
        Assert.Equal(message, refusal.Message);
    }

    [Fact]
    public void Values_are_read_and_the_rest_keeps_its_default()
    {
        var variables = new Dictionary<string, string>
        {
            ["TEXT"] = "a.txt",
            ["PUCES_CHECKPOINT_DIR"] = "saved",
            ["MINUTES"] = "0.5",
            ["SEED"] = "-3",
            ["BATCH"] = "",
        };

        var expected = new Settings { Text = "a.txt", CheckpointFolder = "saved", Minutes = 0.5, Seed = -3 };
        Assert.Equal(expected, Settings.Read(variables.GetValueOrDefault));
    }

    [Fact]
    public void A_text_that_is_not_there_is_refused()
    {
        string missing = Path.Combine(_folder.FullName, "missing.txt");
        var refusal = Assert.Throws<InvalidSettingException>(() => Corpus.Read(missing));
        Assert.Equal($"TEXT: there is no file or folder '{missing}'", refusal.Message);
        Assert.Throws<InvalidSettingException>(() => Corpus.Read(_folder.FullName));
    }

    [Fact]
    public void Of_a_folder_each_text_gives_its_last_tenth_to_validation_in_the_order_of_the_paths()
    {
        Write("b.md", new string('b', 10));
        Write("a/z.cs", new string('z', 20));
        Write("a/B.txt", new string('B', 10));
        Write("a/obj/generated.cs", "no");
        Write(".git/notes.md", "no");
        Write("c.bin", "no");

        var corpus = Corpus.Read(_folder.FullName);

        Assert.Equal(3, corpus.Files);
        Assert.Equal("BBBBBBBBB" + "zzzzzzzzzzzzzzzzzz" + "bbbbbbbbb", corpus.Training);
        Assert.Equal("Bzzb", corpus.Validation);
    }

    [Fact]
    public void A_rare_character_becomes_the_unknown_one()
    {
        var vocabulary = Vocabulary.Of(new string('a', Vocabulary.Rare) + new string('b', Vocabulary.Rare) + "é");

        Assert.Equal(Vocabulary.Unknown + "ab", vocabulary.Characters);
        Assert.Equal([1, 2, 0, 0], vocabulary.Encode("abéx"));
        Assert.Equal("ab", Vocabulary.Of(new string('b', Vocabulary.Rare) + new string('a', Vocabulary.Rare)).Characters);
    }

    private void Write(string name, string text)
    {
        var file = new FileInfo(Path.Combine(_folder.FullName, name));
        file.Directory!.Create();
        File.WriteAllText(file.FullName, text);
    }
}
