using System.CommandLine;

namespace Puces.Cli.Commands;

/// <summary><c>puces validate</c>: every mistake of a job file at once, with its place.</summary>
internal static class ValidateCommand
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("validate", "Check a job file: each mistake with its line, and what would be right. Needs no server.", "puces validate train.yaml", "puces validate examples/tiny-llm --json");
        var file = new Argument<string>("file") { Description = $"A job file, or a folder with a {JobFileInput.DefaultName}" };
        command.Arguments.Add(file);
        command.SetAction((parsed, _) =>
        {
            var reply = JobFileInput.Validate(tools.Session, parsed.GetRequiredValue(file));
            if (tools.WantsJson(parsed)) tools.WriteJson(reply, CliJson.Default.ValidateReply);
            else if (reply.IsValid) tools.Screen.Line($"{reply.File} is in order: {reply.Text}");
            else throw new CommandException(reply.Text, null);
            return Task.FromResult(reply.IsValid ? ExitCodes.Ok : ExitCodes.Failure);
        });
        return command;
    }
}
