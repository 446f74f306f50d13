using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Puces.Server.Auth;

/// <summary>The token that opens the server: 32 random bytes in a file that only its owner can read, made at the first start.</summary>
internal sealed class Tokens
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly byte[] _hash;

    public Tokens(string dataFolder)
    {
        File = Path.Combine(dataFolder, "token");
        if (!System.IO.File.Exists(File)) Make();
        Value = System.IO.File.ReadAllText(File).Trim();
        if (Value.Length < 32)
            throw new InvalidDataException($"{File} holds no token: delete it, and a new one is made at the next start");
        _hash = Hash(Value);
    }

    public string File { get; }

    public string Value { get; }

    /// <summary>Takes as long for a wrong token as for the right one, whatever it looks like.</summary>
    public bool IsValid(ReadOnlySpan<char> token) => token.Length <= 1024 && CryptographicOperations.FixedTimeEquals(Hash(token), _hash);

    private void Make()
    {
        var temporary = $"{File}.{Guid.NewGuid():N}";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Private };
            using (var file = new FileStream(temporary, options))
            {
                file.Write(Encoding.ASCII.GetBytes(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)) + "\n"));
                file.Flush(flushToDisk: true);
            }
            System.IO.File.Move(temporary, File, overwrite: false);
        }
        catch (IOException) when (System.IO.File.Exists(File))
        {
            // Another daemon over the same folder was first: its token it is.
        }
        finally
        {
            System.IO.File.Delete(temporary);
        }
    }

    private static byte[] Hash(ReadOnlySpan<char> token)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(token)];
        Encoding.UTF8.GetBytes(token, bytes);
        return SHA256.HashData(bytes);
    }
}
