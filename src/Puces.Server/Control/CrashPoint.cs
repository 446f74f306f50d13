using System.Diagnostics;
using System.Globalization;

namespace Puces.Server.Control;

/// <summary>
/// Moments that no clock hits: where a test sets <c>PUCES_CRASH=after-commit:17</c>, the process ends as by SIGKILL when it comes to that
/// point the 17th time.
/// </summary>
internal static class CrashPoint
{
    private static readonly (string Name, int Time)? Asked = Environment.GetEnvironmentVariable("PUCES_CRASH")?.Split(':') is [var name, var time]
        ? (name, int.Parse(time, CultureInfo.InvariantCulture)) : null;
    private static int _times;

    public static void Pass(string name)
    {
        if (Asked is not { } asked || asked.Name != name || Interlocked.Increment(ref _times) != asked.Time) return;
        using (var self = Process.GetCurrentProcess()) self.Kill();
        Thread.Sleep(Timeout.Infinite);
    }
}
