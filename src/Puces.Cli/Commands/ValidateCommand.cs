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
            var path = tools.Session.FullPath(parsed.GetRequiredValue(file));
            var result = JobFileInput.Validate(path);
            if (tools.WantsJson(parsed)) tools.WriteJson(result, CliJson.Default.ValidateReply);
            else if (result.IsValid) tools.Screen.Line($"{result.File} is valid");
            else throw JobFileInput.Mistakes(result.File, result.Errors);
            return Task.FromResult(result.IsValid ? ExitCodes.Ok : ExitCodes.Failure);
        });
        return command;
    }
}
