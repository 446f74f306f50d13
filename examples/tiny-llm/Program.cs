namespace TinyLlm;

/// <summary>Trains a small language model; see README.md.</summary>
internal static class Program
{
    private const int WrongUse = 2;

    private static int Main()
    {
        // Listen first: the default action of either signal is to end the process.
        using var signals = new Training.Signals();
        try
        {
            var settings = Settings.Read(Environment.GetEnvironmentVariable);
            return new Training.Session(settings, Console.Out).Run(signals);
        }
        catch (InvalidSettingException exception)
        {
            Console.Error.WriteLine($"tiny-llm: {exception.Message}");
            return WrongUse;
        }
    }
}
