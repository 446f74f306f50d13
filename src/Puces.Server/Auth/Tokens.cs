using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Puces.Server.Auth;

/// <summary>The server's token: random, made at the first start, readable by its owner only.</summary>
public sealed class Tokens
{
    private readonly byte[] _hash;

    /// <summary>Reads the token of a data folder, or makes it.</summary>
    public Tokens(string data)
    {
        File = Path.Combine(data, "token");
        if (!System.IO.File.Exists(File))
        {
            var fresh = $"{File}.{Environment.ProcessId}";
            var mode = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) mode.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using (var stream = new FileStream(fresh, mode)) stream.Write(Encoding.ASCII.GetBytes(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)) + "\n"));
            // Two daemons on one folder: the first name stands.
            try { System.IO.File.Move(fresh, File, overwrite: false); }
            catch (IOException) when (System.IO.File.Exists(File)) { System.IO.File.Delete(fresh); }
        }
        _hash = Hash(System.IO.File.ReadAllText(File).Trim());
    }

    /// <summary>Where the token stands.</summary>
    public string File { get; }

    /// <summary>Takes the same time for every wrong token.</summary>
    public bool IsValid(ReadOnlySpan<char> token) => CryptographicOperations.FixedTimeEquals(_hash, Hash(token));

    private static byte[] Hash(ReadOnlySpan<char> token)
    {
        Span<byte> bytes = stackalloc byte[Math.Min(Encoding.UTF8.GetMaxByteCount(Math.Min(token.Length, 200)), 1024)];
        return token.Length > 200 ? new byte[32] : SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(token, bytes)]);
    }
}
