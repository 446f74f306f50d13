using TinyLlm.Training;
using Xunit;

namespace Puces.Tests.Examples;

public sealed class TinyLlmCheckpointTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tiny-llm-");
    private readonly Checkpoints _checkpoints;

    public TinyLlmCheckpointTests() => _checkpoints = new(_folder.FullName);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_newest_is_the_one_with_the_highest_step_and_two_are_kept()
    {
        Assert.Null(_checkpoints.Newest());
        foreach (int step in new[] { 9, 10, 1_000_000 })
        {
            Save(step);
        }

        Assert.Equal(1_000_000, _checkpoints.Newest()?.Step);
        Assert.Equal(["step-000010", "step-1000000"], _folder.GetDirectories().Select(folder => folder.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_manifest_names_step_and_files_with_their_sizes()
    {
        string manifest = File.ReadAllText(Path.Combine(Save(500).Path, "manifest.json"));

        Assert.Equal("""{"step":500,"files":{"model.bin":3}}""", string.Concat(manifest.Where(c => !char.IsWhiteSpace(c))));
    }

    [Fact]
    public void A_checkpoint_without_manifest_is_ignored()
    {
        Save(1);
        File.Move(Path.Combine(Save(2).Path, "manifest.json"), Path.Combine(_folder.FullName, "step-000002", "manifest.json.tmp"));

        Assert.Equal(1, _checkpoints.Newest()?.Step);
    }

    [Fact]
    public void A_checkpoint_whose_file_is_missing_or_has_another_size_is_ignored()
    {
        Save(1);
        string model = Path.Combine(Save(2).Path, "model.bin");
        File.WriteAllBytes(model, [1, 2]);
        Assert.Equal(1, _checkpoints.Newest()?.Step);

        File.Delete(model);
        Assert.Equal(1, _checkpoints.Newest()?.Step);
    }

    [Fact]
    public void A_checkpoint_whose_manifest_is_no_json_is_ignored()
    {
        Save(1);
        File.WriteAllText(Path.Combine(Save(2).Path, "manifest.json"), """{"step": 2, "fi""");

        Assert.Equal(1, _checkpoints.Newest()?.Step);
    }

    [Fact]
    public void A_crash_while_saving_leaves_the_one_before_and_the_next_save_clears_up()
    {
        Save(1);
        Assert.Throws<IOException>(() => _checkpoints.Save(2, folder =>
        {
            File.WriteAllBytes(Path.Combine(folder, "model.bin"), [1]);
            throw new IOException("no space left");
        }));
        Assert.Equal(1, _checkpoints.Newest()?.Step);

        Save(2);
        Assert.Equal(2, _checkpoints.Newest()?.Step);
    }

    private Checkpoint Save(int step) =>
        _checkpoints.Save(step, folder => File.WriteAllBytes(Path.Combine(folder, "model.bin"), [1, 2, 3]));
}
