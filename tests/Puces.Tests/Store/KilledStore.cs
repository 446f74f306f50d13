using System.Runtime.CompilerServices;
using Puces.Testing;

namespace Puces.Tests.Store;

/// <summary>The test program is its own victim: started by a test to be killed, it runs no tests.</summary>
internal static class KilledStore
{
    [ModuleInitializer]
    internal static void Run() => KilledStores.RunIfAsked();
}
