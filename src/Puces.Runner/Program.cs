using System.Reflection;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Runner.Agent;
using Puces.Runner.Attempt;
using Puces.Runner.Devices;
using Puces.Runner.Mail;

namespace Puces.Runner;

internal static class Program
{
    private const string Usage = """
        puces-runner runs the attempts of Puces' jobs on a node.

          puces-runner agent --root DIR --blobs DIR      serve one daemon over standard input and output
          puces-runner mailbox MAIL --root DIR --blobs DIR   serve one daemon through a folder that both sides see
          puces-runner relay MAIL                        join standard input and output to such a folder
          puces-runner leave WHY --root DIR --blobs DIR  stop all ranks, as their machine is to go, and wait for what they have to say
          puces-runner framed COMMAND...                 a command whose standard input comes in frames
          puces-runner attempt DIR --blobs DIR           run the rank whose order lies in DIR (the agent does this)
          puces-runner receive SHA --root DIR --blobs DIR   take a packed file from standard input, unless it is there
          puces-runner send JOB PATH NAME --root DIR --blobs DIR   pack a checkpoint to standard output
          puces-runner devices                           print the accelerators that are found, as JSON
          puces-runner version

        """;

    public static string Version => Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    private static int Main(string[] args)
    {
        try
        {
            if (args is ["framed", ..])
            {
                FramedInput.Begin();
                args = args[1..];
            }
            return args switch
            {
                ["agent", "--root", var root, "--blobs", var blobs] => NodeAgent.Serve(root, blobs),
                ["mailbox", var mail, "--root", var root, "--blobs", var blobs] => Mailbox.Serve(mail, root, blobs),
                ["relay", var mail] => Relay.Serve(mail),
                ["leave", var why, "--root", var root, "--blobs", var blobs] => Leaving.Serve(why, root, blobs),
                ["attempt", var folder, "--blobs", var blobs] => RankRun.Serve(folder, blobs),
                ["receive", var blob, "--root", var root, "--blobs", var blobs] => Transfers.Receive(new(root, blobs), blob),
                ["send", var job, var path, var name, "--root", var root, "--blobs", var blobs] when long.TryParse(job, out var id) => Transfers.Send(new(root, blobs), new(id), path, name),
                ["devices", ..] => Print(JsonSerializer.SerializeToUtf8Bytes(FoundDevices.All(), RunnerJson.Default.IReadOnlyListDevice)),
                ["version", ..] => Print(Encoding.UTF8.GetBytes(Version)),
                _ => Refuse(),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            // What cannot be handled here is for a person to read: in the root's runner.log, or at the terminal.
            Say($"{string.Join(' ', args)}: {e}\n");
            return 1;
        }
    }

    private static int Print(byte[] line)
    {
        _ = Files.WriteAll(1, [.. line, (byte)'\n']);
        return 0;
    }

    private static int Refuse()
    {
        Say(Usage);
        return 2;
    }

    private static void Say(string text) => _ = Files.WriteAll(2, Encoding.UTF8.GetBytes(text));
}
