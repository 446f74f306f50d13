namespace Puces.Bench;

/// <summary>How the program was called.</summary>
/// <param name="Names">Measurements to take, in the program's order.</param>
/// <param name="Folder">Where both systems keep their data: on a disk, since what is acknowledged is to be stored.</param>
/// <param name="Programs">Folder of <c>puces</c>, <c>pucesd</c> and <c>puces-runner</c>.</param>
/// <param name="Out">The file that gets the report; null for the terminal alone.</param>
/// <param name="WithSlurm">A Slurm runs beside.</param>
/// <param name="IsQuick">Small numbers, to see that it works: its figures mean nothing.</param>
internal sealed record Options(IReadOnlyList<string> Names, string Folder, string Programs, string? Out, bool WithSlurm, bool IsQuick, string Command)
{
    public const string Usage = """
        Measures Puces on this machine; beside a real Slurm, in one run, where there is something to compare.

          dotnet run -c Release --project bench/Puces.Bench -- all --out bench/results/slurm.txt

          all | NAME...      what to measure: version submit batch run start wake list memory
          replay-speed       how fast histories are replayed; beside a Python simulator
          passes             what a single pass of the scheduler costs
          waiting            how long jobs of public traces wait under each policy
          behaviour          one mix of jobs, run by a real Slurm and by a real pucesd
          slurm-pool         a job, and 500, on a real Slurm: through Puces, and by sbatch
          hosts              a hundred hosts: what they cost, a gang on 64, and how soon a dead one is noticed
          --out FILE         put the report into a file too
          --dir DIR          data of both systems, on a disk and not in memory (default /var/tmp/puces-bench-PID, deleted at the end)
          --bin DIR          where puces, pucesd and puces-runner are (default: what ./puces has built)
          --without-slurm    Puces alone
          --quick            small numbers, to see that it works
        """;

    /// <summary>Reads the arguments; throws <see cref="FormatException"/> with words for people.</summary>
    public static Options Parse(string[] arguments, IReadOnlyList<string> together, IReadOnlyList<string> alone)
    {
        var names = new List<string>();
        string[] known = [.. together, .. alone];
        string? folder = null, programs = null, file = null;
        var (withSlurm, isQuick) = (true, false);
        for (var i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--out": file = Path.GetFullPath(Value(ref i)); break;
                case "--dir": folder = Path.GetFullPath(Value(ref i)); break;
                case "--bin": programs = Path.GetFullPath(Value(ref i)); break;
                case "--without-slurm": withSlurm = false; break;
                case "--quick": isQuick = true; break;
                case "all": names.AddRange(together); break;
                case var name when known.Contains(name): names.Add(name); break;
                default: throw new FormatException($"unknown: {arguments[i]}\n\n{Usage}");
            }
        }
        if (names.Count == 0) throw new FormatException(Usage);
        return new(
            [.. known.Where(names.Contains)], folder ?? $"/var/tmp/puces-bench-{Environment.ProcessId}",
            programs ?? Path.Combine(Checkout(), "artifacts", "bin-puces"), file, withSlurm, isQuick,
            "dotnet run -c Release --project bench/Puces.Bench -- " + string.Join(' ', arguments));

        string Value(ref int i) => ++i < arguments.Length ? arguments[i] : throw new FormatException($"{arguments[i - 1]} needs a value");
    }

    /// <summary>The folder that holds the solution.</summary>
    public static string Checkout()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "Puces.slnx"))) return folder;
        throw new FormatException("run it in a checkout, or give --bin");
    }
}
