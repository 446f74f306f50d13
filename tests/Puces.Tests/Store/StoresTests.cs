using Puces.Server.Store;
using Xunit;

namespace Puces.Tests.Store;

public sealed class StoresTests
{
    [Theory]
    [InlineData("sqlite:/data/puces.db", " in /data/puces.db")]
    [InlineData("/data/puces.db", " in /data/puces.db")]
    [InlineData("postgres://ada:p%40ss@db.example:6543/puces?sslmode=verify-full", "PostgreSQL at db.example:6543/puces, schema puces")]
    [InlineData("postgresql://db.example/puces?search_path=mine", "PostgreSQL at db.example:5432/puces, schema mine")]
    [InlineData("postgres:///puces?host=/run/postgresql", "PostgreSQL at /run/postgresql/puces, schema puces")]
    [InlineData("Host=db;Username=ada;Password=hush;Database=puces", "PostgreSQL at db:5432/puces, schema puces")]
    public async Task A_place_is_understood(string location, string description)
    {
        await using var store = Stores.Open(location);
        Assert.EndsWith(description, store.Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("mysql://db/puces")]
    [InlineData("postgres://ada:hush@db/puces?colour=red")]
    [InlineData("postgres://ada:hush@db:port/puces")]
    [InlineData("postgres://ada:hush@db/puces?sslmode=perhaps")]
    [InlineData("Host=db;Password=hush;Colour=red")]
    public void A_place_that_is_not_understood_is_refused_without_repeating_the_password(string location)
    {
        var e = Assert.Throws<StoreException>(() => Stores.Open(location));
        Assert.Contains("postgres://user:password@host", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", e.ToString(), StringComparison.Ordinal);
    }
}
