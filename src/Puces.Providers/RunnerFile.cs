using System.Security.Cryptography;

namespace Puces.Providers;

/// <summary>The runner that is brought to nodes: one native file, known by its content.</summary>
public sealed class RunnerFile
{
    private static readonly byte[] Elf = [0x7F, (byte)'E', (byte)'L', (byte)'F'];
    private const int Smallest = 1 << 20;

    private RunnerFile(string path, long size, string digest) => (Path, Size, Digest) = (path, size, digest);

    public string Path { get; }

    /// <summary>In bytes.</summary>
    public long Size { get; }

    /// <summary>The first sixteen hexadecimal digits of its SHA-256.</summary>
    public string Digest { get; }

    /// <exception cref="ProviderException">It is not there, or not one file that runs alone.</exception>
    public static RunnerFile Open(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            Span<byte> head = stackalloc byte[4];
            if (file.ReadAtLeast(head, 4, throwOnEndOfStream: false) < 4 || !head.SequenceEqual(Elf) || file.Length < Smallest)
                throw new ProviderException(Remedy.Ask, $"{path} is no runner that can be sent to other machines: it needs .NET beside it",
                    "compile it to native code: PUCES_BUILD=native ./puces version, or dotnet publish src/Puces.Runner");
            file.Position = 0;
            return new(path, file.Length, Convert.ToHexStringLower(SHA256.HashData(file))[..16]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProviderException(Remedy.Ask, $"the runner cannot be read: {e.Message}", "set PUCES_RUNNER to a puces-runner", e);
        }
    }
}
