using Puces.Core.Fleet;
using Puces.Providers.Ssh;

namespace Puces.Providers.Slurm;

/// <summary>The machine on which Slurm's commands are: this one, or one that is reached by OpenSSH.</summary>
internal sealed class SlurmLogin : IAsyncDisposable
{
    private readonly SlurmPool _slurm;
    private readonly SshCommand? _ssh;
    // It is asked something all the time: who guards a login node would shut out somebody who logs in each second.
    private readonly SshConnection? _shared;
    private readonly CarriedRunner _runner, _sharedRunner;
    private readonly string _owner;

    public SlurmLogin(SlurmPool slurm, string runner, string knownHosts, string owner, TimeSpan term)
    {
        (_slurm, _owner) = (slurm, owner);
        _ssh = slurm.Login is { } host ? new(new([host]), host, knownHosts, term) : null;
        _shared = _ssh is null ? null : new(_ssh);
        _runner = new((script, _) => Task.FromResult<INodeProcess>(Start(script)), Trouble, slurm.Folder, runner);
        _sharedRunner = new(StartSharedAsync, Trouble, slurm.Folder, runner);
    }

    /// <summary>As a person would write it.</summary>
    public string Name => _ssh?.Target ?? "this machine";

    /// <summary>
    /// Runs a script of the Bourne shell. In it <c>$i</c> is the folder of this daemon and pool, and each command that fails ends it.
    /// </summary>
    /// <exception cref="ProviderException">It failed.</exception>
    public async Task<string> RunAsync(string script, CancellationToken ct)
    {
        await using var process = await StartSharedAsync($"set -e; umask 077; {Prelude} {script}", ct);
        return await AnswerAsync(process, ct);
    }

    /// <summary>The same with the runner there, as <c>$r</c>.</summary>
    public async Task<string> RunWithRunnerAsync(string script, CancellationToken ct)
    {
        await using var process = await _sharedRunner.StartAsync(Prelude + " " + script, ct);
        return await AnswerAsync(process, ct);
    }

    /// <summary>The same for what stays: it has a connection of its own, since a server lets few share one.</summary>
    public Task<INodeProcess> StartRunnerAsync(string script, CancellationToken ct) => _runner.StartAsync(Prelude + " " + script, ct);

    public ValueTask DisposeAsync() => _shared?.DisposeAsync() ?? default;

    private string Prelude =>
        // Absolute, since jobs begin elsewhere.
        $"mkdir -p {_runner.Folder}; i=\"$(cd {_runner.Folder} && pwd -P)/{_owner}\"; export {SlurmText.TimeFormat}; "
        + (_slurm.Config is { } config ? $"export SLURM_CONF={CarriedRunner.Quoted(config)}; " : "");

    private OwnProcess Start(string script) => _ssh is { } ssh ? OwnProcess.Start(SshCommand.Program, ssh.Running(script)) : OwnProcess.Start("/bin/sh", ["-c", script]);

    private async Task<INodeProcess> StartSharedAsync(string script, CancellationToken ct) => _shared is { } shared ? await shared.StartAsync(script, ct) : Start(script);

    private ProviderException Trouble(int code, string said) => _ssh is { } ssh && code == 255 ? SshTrouble.Of(ssh.Target, code, said) : SlurmTrouble.Of(Name, code, said);

    private async Task<string> AnswerAsync(INodeProcess process, CancellationToken ct)
    {
        process.Input.Close();
        using var output = new StreamReader(process.Output);
        using var errors = new StreamReader(process.Errors);
        var said = errors.ReadToEndAsync(ct);
        var answer = await output.ReadToEndAsync(ct);
        return await process.WaitAsync(ct) is not 0 and var code ? throw Trouble(code, await said) : answer;
    }
}
