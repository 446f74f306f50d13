using System.CommandLine;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces run</c> and <c>puces submit</c>.</summary>
internal static class RunCommands
{
    /// <param name="commandLine">What stood behind <c>--</c>; null where nothing did.</param>
    public static Command Run(Tools tools, IReadOnlyList<string>? commandLine)
    {
        var command = new PucesCommand(
            "run", "Submit a job file, or a command behind --, follow it to its end, and exit with its exit code. Ctrl-C leaves the job running.",
            "puces run                                     the puces.yaml of this folder",
            "puces run examples/tiny-llm                   the puces.yaml of that folder",
            "puces run train.yaml --gpus H100:8 --nodes 2  a file, with other numbers",
            "puces run --gpus A100:1 -- python train.py    a command, with no file",
            "puces run -d train.yaml                       do not wait; puces logs -f comes back to it");
        var options = new JobOptions();
        options.AddTo(command);
        var detach = new Option<bool>("--detach", "-d") { Description = "Do not follow: print the job's number and return" };
        command.Options.Add(detach);
        command.SetAction((parsed, ct) => SubmitAsync(tools, parsed, options.Load(tools.Session, parsed, commandLine), follow: !parsed.GetValue(detach), ct));
        return command;
    }

    public static Command Submit(Tools tools, IReadOnlyList<string>? commandLine)
    {
        var command = new PucesCommand(
            "submit", "Submit a job file, or a command behind --, and print the job's number. It is on the server's disk when this returns.",
            "puces submit train.yaml",
            "puces submit --gpus H100:8 --name big -- python train.py",
            "id=$(puces submit train.yaml) && puces wait $id");
        var options = new JobOptions();
        options.AddTo(command);
        command.SetAction((parsed, ct) => SubmitAsync(tools, parsed, options.Load(tools.Session, parsed, commandLine), follow: false, ct));
        return command;
    }

    private static async Task<int> SubmitAsync(Tools tools, ParseResult parsed, LoadedJob job, bool follow, CancellationToken ct)
    {
        using var server = new PucesServer(tools.Session);
        var view = await new Submission(tools.Session, server).SendAsync(job, ct);
        if (!follow)
        {
            if (tools.WantsJson(parsed)) tools.WriteJson(view, ContractJson.Default.JobView);
            else
            {
                tools.Screen.Line(view.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
                if (tools.Screen.OutIsTerminal) tools.Screen.Note(tools.Screen.PaintNote(Sent(view), Tint.Dim));
            }
            return ExitCodes.Ok;
        }
        var style = new LogStyle(tools.WantsJson(parsed), HasTimes: false, IsGang: job.Spec.Nodes > 1, Since: null);
        return await FollowAsync(tools, server, view, style, ct);
    }

    private static string Sent(JobView job) =>
        $"job {job.Id} is {(job.State == "queued" ? "in line" : job.State)}{(job is { State: "queued", Reason: { } reason } ? $": {reason}" : "")}; puces logs -f {job.Id} follows it";

    /// <summary>Follows a job to its end; when interrupted says how to come back.</summary>
    public static async Task<int> FollowAsync(Tools tools, PucesServer server, JobView view, LogStyle style, CancellationToken ct)
    {
        var screen = tools.Screen;
        try
        {
            var ended = await new JobFollower(tools.Session, server, view, new(screen, style)).RunAsync(ct);
            if (style.IsJson) tools.WriteJson(ended, ContractJson.Default.JobView);
            var isGood = ended.State == "succeeded";
            screen.Note(screen.PaintNote(JobFollower.Summary(ended), isGood ? Tint.Green : Tint.Red));
            if (!isGood && ended.Attempt == 0) screen.Note($"  try: puces why {ended.Id}");
            return Jobs.ExitCodeOf(ended);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            screen.Note($"\ndetached: job {view.Id} goes on");
            screen.Note($"  puces logs -f {view.Id}   to follow it again");
            screen.Note($"  puces cancel {view.Id}    to end it");
            return ExitCodes.Interrupted;
        }
        catch (CommandException e)
        {
            throw new CommandException($"lost sight of job {view.Id}: {e.Message}", e.Remedy ?? $"puces logs -f {view.Id}, to follow it again", cause: e);
        }
    }
}
