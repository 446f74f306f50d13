using System.Runtime.InteropServices;

namespace Puces.Cli.Local;

internal static partial class NativeSignals
{
    private const int SIGTERM = 15;

    /// <summary>Asks a process to stop; one that is gone already is no error.</summary>
    public static void Terminate(int pid) => _ = Kill(pid, SIGTERM);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
