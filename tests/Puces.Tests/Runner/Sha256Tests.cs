using System.Security.Cryptography;
using Puces.Runner;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class Sha256Tests
{
    [Theory]
    [InlineData(0), InlineData(1), InlineData(55), InlineData(56), InlineData(63), InlineData(64), InlineData(65_535), InlineData(65_536), InlineData(200_001)]
    public void The_digest_of_any_length_is_that_of_the_library(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), Sha256.Reckon(new MemoryStream(bytes)));
    }
}
