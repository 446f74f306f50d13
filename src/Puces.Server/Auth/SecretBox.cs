using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.DataProtection;
using Puces.Server.Store;

namespace Puces.Server.Auth;

/// <summary>Encrypts secrets at rest with ASP.NET Data Protection; its keys lie in the data folder, apart from the store.</summary>
public sealed class SecretBox
{
    private readonly IDataProtectionProvider _provider;

    public SecretBox(string data)
    {
        var keys = Directory.CreateDirectory(Path.Combine(data, "keys"));
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(keys.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _provider = DataProtectionProvider.Create(keys, setup => setup.SetApplicationName("puces"));
    }

    /// <summary>A sealed value opens only under the name that it was sealed under.</summary>
    public byte[] Seal(string name, string value)
    {
        try
        {
            return Protector(name).Protect(Encoding.UTF8.GetBytes(value));
        }
        catch (CryptographicException e)
        {
            throw new StoreException($"the key that seals secrets cannot be written: {(e.InnerException ?? e).Message}", e);
        }
    }

    /// <summary>Throws <see cref="SecretException"/> where the keys are not those that sealed it.</summary>
    public string Open(string name, byte[] sealedValue)
    {
        try
        {
            return Encoding.UTF8.GetString(Protector(name).Unprotect(sealedValue));
        }
        catch (CryptographicException e)
        {
            throw new SecretException($"secret {name} cannot be opened with the keys of this data folder; set it again: puces secret set {name}", e);
        }
    }

    private IDataProtector Protector(string name) => _provider.CreateProtector("secret", name);
}

/// <summary>A secret is there, and cannot be read.</summary>
public sealed class SecretException(string message, Exception cause) : Exception(message, cause);
