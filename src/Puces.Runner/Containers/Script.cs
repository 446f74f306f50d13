using System.Text;
using Puces.Core.Contract;
using Puces.Runner.Posix;

namespace Puces.Runner.Containers;

/// <summary>
/// What is run in a container: the user's program as it is, or scripts, by a shell of the image. Setup and run are one container, so that what
/// setup installs in it is there; a file tells when the one has become the other.
/// </summary>
internal static class Script
{
    public static string SetUp(string scratch) => scratch + "/set-up";

    public static IReadOnlyList<string> Command(RankOrder order, string scratch) =>
        order.Run.Arguments is { Count: > 0 } arguments
            ? order.Setup is { Length: > 0 } ? ["/bin/sh", scratch + "/start.sh", .. arguments] : arguments
            : ["/bin/sh", scratch + "/start.sh"];

    /// <summary>Writes the scripts down.</summary>
    /// <exception cref="IOException">The disk would not have them.</exception>
    public static void Write(RankOrder order, string scratch, string work)
    {
        var start = new StringBuilder("shell=sh; command -v bash >/dev/null 2>&1 && shell=bash\n");
        if (order.Setup is { Length: > 0 } setup)
        {
            Put("/setup.sh", setup);
            start.Append($"$shell -e {Quoted(scratch + "/setup.sh")} || exit\n: > {Quoted(SetUp(scratch))}\n");
        }
        if (order.Run.Script is { } run)
        {
            Put("/run.sh", run);
            start.Append($"exec $shell -e {Quoted(scratch + "/run.sh")}\n");
        }
        else start.Append("exec \"$@\"\n");
        Put("/start.sh", start.ToString());
        Put("/enter.sh", $"cd {Quoted(work)} && exec \"$@\"\n");

        void Put(string name, string text)
        {
            if (!Files.TryWrite(scratch + name, Encoding.UTF8.GetBytes(text))) throw new IOException($"cannot write {scratch}{name}: {Libc.Why(Libc.Errno)}", Libc.Errno);
        }
    }

    private static string Quoted(string path) => "'" + path.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
