using System.Threading.Channels;
using Puces.Core.Engine;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>The one way to the writer. An answer means: it is stored.</summary>
public sealed class Inbox
{
    private readonly Channel<Letter> _letters = Channel.CreateUnbounded<Letter>(new() { SingleReader = true });

    /// <summary>Why nothing is taken now; null while a writer runs.</summary>
    public string? ClosedBecause { get; set; } = "the daemon is starting";

    public async Task<Answer> AskAsync(Command command) => (await AskAsync([command]))[0];

    /// <summary>Applies all in one transaction. Throws <see cref="StoreException"/> where it is unknown whether they are stored.</summary>
    public Task<IReadOnlyList<Answer>> AskAsync(IReadOnlyList<Command> commands)
    {
        if (ClosedBecause is { } why) return Task.FromException<IReadOnlyList<Answer>>(new StoreException(why));
        var letter = new Letter(commands, new(TaskCreationOptions.RunContinuationsAsynchronously));
        _letters.Writer.TryWrite(letter);
        return letter.Reply!.Task;
    }

    /// <summary>News that nobody waits for. While no writer runs it is dropped: nodes tell everything again when they are opened.</summary>
    public void Tell(params IReadOnlyList<Command> commands)
    {
        if (ClosedBecause is null && commands.Count > 0) _letters.Writer.TryWrite(new(commands, null));
    }

    internal ValueTask<bool> WaitAsync(CancellationToken ct) => _letters.Reader.WaitToReadAsync(ct);

    /// <summary>Everything that waits, up to a transaction's worth.</summary>
    internal List<Letter> TakeAll()
    {
        var taken = new List<Letter>();
        for (var commands = 0; commands < 50_000 && _letters.Reader.TryRead(out var letter); commands += letter.Commands.Count) taken.Add(letter);
        return taken;
    }

    internal void FailAll(Exception cause)
    {
        while (_letters.Reader.TryRead(out var letter)) letter.Reply?.TrySetException(cause);
    }

    internal sealed record Letter(IReadOnlyList<Command> Commands, TaskCompletionSource<IReadOnlyList<Answer>>? Reply);
}
