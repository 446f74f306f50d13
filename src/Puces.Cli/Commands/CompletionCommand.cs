using System.CommandLine;

namespace Puces.Cli.Commands;

/// <summary><c>puces completion</c>: scripts that ask <c>puces __complete</c> what could come next.</summary>
internal static class CompletionCommand
{
    /// <summary>First word of the hidden call that the scripts make: the words so far follow, the one being typed last.</summary>
    public const string Hidden = "__complete";

    private const string Bash = """
        # bash completion for puces: source <(puces completion bash)
        _puces() {
          local IFS=$'\n'
          COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
        }
        complete -o default -F _puces puces ./puces
        """;

    private const string Zsh = """
        #compdef puces
        # zsh completion for puces: source <(puces completion zsh)
        _puces() {
          local -a found
          local line
          while IFS=$'\t' read -r word text; do found+=("${word//:/\\:}:$text"); done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
          if (( ${#found} )); then _describe 'puces' found; else _files; fi
        }
        compdef _puces puces
        """;

    private const string Fish = """
        # fish completion for puces: puces completion fish | source
        complete -c puces -a '(set -l words (commandline -opc) (commandline -ct); puces __complete $words[2..-1] 2>/dev/null)'
        """;

    public static Command Create(Tools tools)
    {
        var command = new PucesCommand(
            "completion", "Print the completion script of a shell.",
            "source <(puces completion bash)         now, in bash", "puces completion bash > ~/.local/share/bash-completion/completions/puces",
            "source <(puces completion zsh)", "puces completion fish | source");
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        command.Arguments.Add(shell);
        command.SetAction((parsed, _) =>
        {
            var name = parsed.GetRequiredValue(shell);
            var script = name switch { "bash" => Bash, "zsh" => Zsh, _ => Fish };
            if (tools.WantsJson(parsed)) tools.WriteJson(new(name, script), CliJson.Default.CompletionReply);
            else tools.Screen.Line(script);
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    /// <summary>One candidate a line, with what it means behind a tab.</summary>
    public static int Complete(RootCommand root, Session session, IReadOnlyList<string> words)
    {
        // Behind "--" stands a command of the user's own: files, which the shell knows best.
        var isForeign = words.Take(Math.Max(0, words.Count - 1)).Contains("--");
        foreach (var item in isForeign ? [] : root.Parse(words).GetCompletions())
            if (item.Label is not ("-?" or "/?" or "/h")) session.Screen.Line(item.Detail is { Length: > 0 } detail ? $"{item.Label}\t{detail.Split('\n')[0]}" : item.Label);
        return ExitCodes.Ok;
    }
}
