#!/usr/bin/env dotnet
// "An acknowledged job is kept": Puces beside a real Slurm on this machine. Writes bench/results/kept.txt.
//   dotnet run eng/kept.cs [BATCHES [SLURM-BATCHES [SEED]]]       default: 50 50 1; needs root, and Slurm as eng/slurm-local.sh installs it
// The daemon is the one that `dotnet build -c Release` has put beside the tests.
#:project ../tests/Puces.Testing/Puces.Testing.csproj
#:property PublishAot=false
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Puces.Testing;

var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName((string)AppContext.GetData("EntryPointFilePath")!)!, ".."));
var numbers = args.Select(a => int.Parse(a, CultureInfo.InvariantCulture)).ToList();
var (batches, slurmBatches, seed) = (numbers.ElementAtOrDefault(0) is > 0 and var b ? b : 50, numbers.Count > 1 ? numbers[1] : 50, numbers.Count > 2 ? numbers[2] : 1);
Environment.SetEnvironmentVariable("PUCES_TEST_DAEMON", Path.Combine(root, "artifacts/bin/Puces.Tests/release/pucesd"));

string Output(string program, params string[] arguments)
{
    using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
    var text = process.StandardOutput.ReadToEnd().Trim();
    process.WaitForExit();
    return text;
}

void Script(params string[] arguments)
{
    using var process = Process.Start(Path.Combine(root, "eng/slurm-local.sh"), arguments);
    process.WaitForExit();
    if (process.ExitCode != 0) throw new InvalidOperationException($"slurm-local.sh {arguments[0]} ended with {process.ExitCode}");
}

string Line(string name, string version, Kept kept) => string.Create(CultureInfo.InvariantCulture,
    $"{name,-8}{version,-24}{kept.Acknowledged,14}{kept.Kills,7}{kept.Lost,7}{kept.Reused,9}{kept.Took.TotalSeconds,9:0} s\n");

var text = string.Create(CultureInfo.InvariantCulture, $"""
    An acknowledged job is kept: batches of {Kept.Batch} submissions, one after another; after the last acknowledgement of each the
    daemon (pucesd, slurmctld) is killed with SIGKILL at a random moment within {Kept.LongestPauseMs} ms, and started again.
    Lost: acknowledged, and in the end not there, or another job under its number. Reused: acknowledgements of a number
    that had been acknowledged for another job before. Jobs wait throughout (Puces: for a GPU that is not there; Slurm: --hold).

    command   dotnet run eng/kept.cs {batches} {slurmBatches} {seed}
    date      {DateTime.UtcNow:yyyy-MM-dd}
    machine   {Environment.ProcessorCount} CPUs, Linux {Environment.OSVersion.Version}, {RuntimeInformation.FrameworkDescription}
    commit    {Output("git", "-C", root, "rev-parse", "--short", "HEAD")}

                                       acknowledged  kills   lost   reused      took

    """);
await using (var daemon = new DaemonProcess())
    text += Line("Puces", Output(DaemonProcess.Program, "version").Split(' ')[^1] + ", SQLite", await Kept.ByPucesAsync(daemon, batches, seed, default));
Console.Write(text);
if (slurmBatches > 0)
{
    var folder = Directory.CreateTempSubdirectory("kept-").FullName;
    try
    {
        Script("up", folder);
        var line = Line("Slurm", Output("slurmctld", "-V").Split(' ')[^1], await Kept.BySlurmAsync(Path.Combine(root, "eng/slurm-local.sh"), folder, slurmBatches, seed, default));
        Console.Write(line);
        text += line;
    }
    finally
    {
        Script("down", folder);
        Directory.Delete(folder, recursive: true);
    }
}
File.WriteAllText(Path.Combine(root, "bench/results/kept.txt"), text);
