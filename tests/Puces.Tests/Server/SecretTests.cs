using Puces.Server.Auth;
using Xunit;

namespace Puces.Tests.Server;

public sealed class SecretTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly string _data = Directory.CreateTempSubdirectory("puces-data-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public void A_token_is_made_once_and_only_its_owner_can_read_it()
    {
        var tokens = new Tokens(_data);
        var text = File.ReadAllText(tokens.File).Trim();
        Assert.Equal(43, text.Length);
        if (!OperatingSystem.IsWindows()) Assert.Equal(OwnerOnly, File.GetUnixFileMode(tokens.File));
        Assert.True(tokens.IsValid(text));
        Assert.True(new Tokens(_data).IsValid(text));
        Assert.Equal([tokens.File], Directory.EnumerateFiles(_data));
    }

    [Fact]
    public void A_wrong_token_is_refused_whatever_it_looks_like()
    {
        var tokens = new Tokens(_data);
        var text = File.ReadAllText(tokens.File).Trim();
        foreach (var wrong in (string[])["", text[1..], text + "x", text.ToUpperInvariant() + " ", new string('é', 100_000), "\uD800"])
            Assert.False(tokens.IsValid(wrong));
    }

    [Fact]
    public void A_sealed_secret_opens_after_a_restart_and_its_text_is_nowhere_in_it()
    {
        var sealedValue = new SecretBox(_data).Seal("TOKEN", "hunter2 é");
        Assert.Equal("hunter2 é", new SecretBox(_data).Open("TOKEN", sealedValue));
        Assert.Equal(-1, sealedValue.AsSpan().IndexOf("hunter2"u8));
        if (!OperatingSystem.IsWindows()) Assert.Equal(OwnerOnly | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_data, "keys")));
    }

    [Fact]
    public void A_sealed_secret_opens_under_no_other_name_and_not_once_it_was_changed()
    {
        var box = new SecretBox(_data);
        var sealedValue = box.Seal("A", "value");
        Assert.Throws<SecretException>(() => box.Open("B", sealedValue));
        sealedValue[^1] ^= 1;
        Assert.Contains("puces secret set A", Assert.Throws<SecretException>(() => box.Open("A", sealedValue)).Message, StringComparison.Ordinal);
    }
}
