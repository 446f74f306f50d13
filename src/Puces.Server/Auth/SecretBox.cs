using System.Text;
using Microsoft.AspNetCore.DataProtection;

namespace Puces.Server.Auth;

/// <summary>Seals secrets for the store, with keys that lie in the data folder. A value sealed under one name cannot be opened under another.</summary>
internal sealed class SecretBox
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly IDataProtectionProvider _provider;

    public SecretBox(string dataFolder)
    {
        var keys = Directory.CreateDirectory(Path.Combine(dataFolder, "keys"), Private);
        // A folder that was there before is closed to others too.
        File.SetUnixFileMode(keys.FullName, Private);
        _provider = DataProtectionProvider.Create(keys, options => options.SetApplicationName("puces"));
    }

    public byte[] Seal(string name, string value) => For(name).Protect(Encoding.UTF8.GetBytes(value));

    /// <summary>Throws <see cref="System.Security.Cryptography.CryptographicException"/> where the keys are gone or the bytes were changed.</summary>
    public string Open(string name, byte[] sealedValue) => Encoding.UTF8.GetString(For(name).Unprotect(sealedValue));

    private IDataProtector For(string name) => _provider.CreateProtector("secret", name);
}
