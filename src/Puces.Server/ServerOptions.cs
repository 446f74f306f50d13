using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Units;

namespace Puces.Server;

/// <summary>How <c>pucesd</c> was called: its options, and the variables that stand in for them.</summary>
/// <param name="Listen">Address; port 0 takes any free one.</param>
/// <param name="Runner">The <c>puces-runner</c> of local nodes.</param>
/// <param name="FirstPool">The local pool, if this is the first start on its data.</param>
public sealed record ServerOptions(string Data, string Listen, string Store, string Runner, Pool FirstPool)
{
    public const string Usage = """
        pucesd [--data DIR] [--listen URL] [--store LOCATION] [--runner FILE] [--gpus H100:8] [--nodes N] [--cpus N] [--memory 64GB]
               [--islands N] [--racks N]
        pucesd backup FILE [--data DIR]   copy the SQLite store while a daemon may be running
        pucesd openapi                    print the description of the REST interface
        pucesd version

          --data DIR      where everything is kept                     PUCES_DATA    ~/.local/state/puces
          --listen URL    where to listen; port 0: any free one        PUCES_LISTEN  http://127.0.0.1:0
          --store WHERE   sqlite:FILE or postgres://user:pw@host/db    PUCES_STORE   sqlite:DIR/puces.db
          --runner FILE   the puces-runner of this machine             PUCES_RUNNER  beside this program
          --gpus, --nodes, --cpus, --memory                            virtual sizes of the local pool, at the first start on DIR
          --islands N     devices of each node that fast links join, N at a time; likewise
          --racks N       nodes that stand in one rack; likewise
        """;

    /// <summary>Reads the arguments; throws <see cref="FormatException"/> with words for people.</summary>
    public static ServerOptions Parse(IReadOnlyList<string> arguments, Func<string, string?> variable)
    {
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Count; i += 2)
        {
            if (!Known.Contains(arguments[i])) throw new FormatException($"unknown option {arguments[i]}\n\n{Usage}");
            if (i + 1 == arguments.Count) throw new FormatException($"{arguments[i]} needs a value");
            given[arguments[i]] = arguments[i + 1];
        }
        var state = variable("XDG_STATE_HOME") is { Length: > 0 } xdg ? xdg : Path.Combine(variable("HOME") ?? "/", ".local", "state");
        var data = Path.GetFullPath(given.GetValueOrDefault("--data") ?? variable("PUCES_DATA") ?? Path.Combine(state, "puces"));
        if (given.ContainsKey("--islands") && !given.ContainsKey("--gpus")) throw new FormatException("--islands is of virtual devices: give --gpus too, or leave it out");
        var nodes = (int)(Number(given, "--nodes") ?? 1);
        return new(
            data,
            given.GetValueOrDefault("--listen") ?? variable("PUCES_LISTEN") ?? "http://127.0.0.1:0",
            given.GetValueOrDefault("--store") ?? variable("PUCES_STORE") ?? "sqlite:" + Path.Combine(data, "puces.db"),
            given.GetValueOrDefault("--runner") ?? variable("PUCES_RUNNER") ?? Beside(),
            new("local", "local", nodes, given.GetValueOrDefault("--gpus"), Number(given, "--cpus"),
                given.GetValueOrDefault("--memory") is not { } text ? null
                    : Memory.TryParse(text, out var memory) ? memory : throw new FormatException($"--memory {text}: write an amount with a unit, such as 64GB"),
                (int?)Number(given, "--islands"), Number(given, "--racks") is { } racks ? Pool.InRacks(nodes, Math.Max(1, (int)racks)) : null));
    }

    private static readonly string[] Known = ["--data", "--listen", "--store", "--runner", "--gpus", "--nodes", "--cpus", "--memory", "--islands", "--racks"];

    private static double? Number(Dictionary<string, string> given, string option)
    {
        if (!given.TryGetValue(option, out var text)) return null;
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number : throw new FormatException($"{option} {text}: write a number above 0");
    }

    private static string Beside()
    {
        var native = Path.Combine(AppContext.BaseDirectory, "puces-runner");
        return File.Exists(native) ? native : native + ".dll";
    }
}
