namespace Puces.Server;
internal static class Program { private static void Main() { } }
