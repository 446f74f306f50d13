namespace Puces.Cli;

/// <summary>A command that cannot do what was asked: says what happened, where, and what to do next.</summary>
/// <param name="message">What happened, such as <c>cannot reach the server (http://gpu-1:8723)</c>.</param>
/// <param name="remedy">What to do, such as <c>puces doctor</c>.</param>
internal sealed class CommandException(string message, string? remedy, int exitCode = ExitCodes.Failure, Exception? cause = null)
    : Exception(message, cause)
{
    public string? Remedy { get; } = remedy;
    public int ExitCode { get; } = exitCode;

    /// <summary>A mistake on the command line or in a file that was named there.</summary>
    public static CommandException Usage(string message, string? remedy) => new(message, remedy, ExitCodes.Usage);
}

/// <summary>What the process says when it ends; <c>run</c> and <c>wait</c> end with the job's own code.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;
    public const int Failure = 1;
    public const int Usage = 2;
    /// <summary>Ended by Ctrl-C, as shells say it: 128 + SIGINT.</summary>
    public const int Interrupted = 130;
}
