using System.Globalization;
using Npgsql;

namespace Puces.Server.Store;

/// <summary>From what an operator writes to the store that it names.</summary>
public static class Stores
{
    /// <summary>Nothing is opened yet: what is wrong with the place shows when the store is first used.</summary>
    /// <param name="location">
    /// <c>sqlite:PATH</c> or a path; <c>postgres://user:password@host:port/database?search_path=puces</c> or
    /// <c>Host=…;Username=…;Database=…</c>.
    /// </param>
    public static IStore Open(string location)
    {
        var trimmed = location.Trim();
        if (trimmed.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || trimmed.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase)) return new PostgresStore(FromUrl(trimmed));
        if (trimmed.Contains('=', StringComparison.Ordinal) && trimmed.Contains("host", StringComparison.OrdinalIgnoreCase))
            return new PostgresStore(Checked(() => new NpgsqlConnectionStringBuilder(trimmed)));
        if (trimmed.StartsWith("sqlite:", StringComparison.OrdinalIgnoreCase)) trimmed = trimmed["sqlite:".Length..];
        if (trimmed.Length == 0 || trimmed.Contains("://", StringComparison.Ordinal))
            throw new StoreException("A store is a file (sqlite:PATH) or a PostgreSQL database (postgres://user:password@host/database).");
        return new SqliteStore(trimmed);
    }

    private static NpgsqlConnectionStringBuilder FromUrl(string url) => Checked(() =>
    {
        var uri = new Uri(url);
        var user = uri.UserInfo.Split(':', 2);
        var settings = new NpgsqlConnectionStringBuilder { Host = uri.Host.Length > 0 ? uri.Host : "localhost" };
        if (uri.Port > 0) settings.Port = uri.Port;
        if (user[0].Length > 0) settings.Username = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1) settings.Password = Uri.UnescapeDataString(user[1]);
        if (uri.AbsolutePath.Length > 1) settings.Database = Uri.UnescapeDataString(uri.AbsolutePath[1..]);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            var (key, value) = (parts[0], Uri.UnescapeDataString(parts.ElementAtOrDefault(1) ?? ""));
            // libpq's names and values, as the rest of the world writes them.
            settings[key switch { "sslmode" => "SSL Mode", "sslrootcert" => "Root Certificate", _ => key.Replace('_', ' ') }] =
                key == "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }
        return settings;
    });

    /// <summary>What the driver says may repeat the password: only our own words go out.</summary>
    private static NpgsqlConnectionStringBuilder Checked(Func<NpgsqlConnectionStringBuilder> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException or InvalidCastException or OverflowException)
        {
            throw new StoreException(string.Create(CultureInfo.InvariantCulture,
                $"The PostgreSQL address has a part that is not understood ({e.GetType().Name}). Write postgres://user:password@host:5432/database?sslmode=require"));
        }
    }
}
