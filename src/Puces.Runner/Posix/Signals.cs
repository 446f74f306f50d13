namespace Puces.Runner.Posix;

/// <summary>Signals by number, as Linux counts them on x86 and ARM.</summary>
internal static class Signals
{
    public const int Kill = 9, Pipe = 13, Term = 15, Continue = 18;

    private static readonly string[] Names =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
        "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    /// <summary>The number of <c>USR1</c> or <c>SIGUSR1</c>; TERM's where there is no such signal.</summary>
    public static int Number(string name)
    {
        var index = Array.IndexOf(Names, name.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? name[3..].ToUpperInvariant() : name.ToUpperInvariant());
        return index > 0 ? index : Term;
    }

    public static string Name(int number) => number > 0 && number < Names.Length ? "SIG" + Names[number] : $"signal {number}";
}
