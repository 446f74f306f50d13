using System.Runtime.InteropServices;

namespace TinyLlm.Training;

/// <summary>What the outside asks for by signal; the training looks between two steps.</summary>
public sealed class Signals : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private volatile bool _save;
    private volatile bool _stop;

    /// <summary>Begins to listen: SIGUSR1 asks for a checkpoint, SIGTERM for one and an end.</summary>
    public Signals()
    {
        // .NET has no name for SIGUSR1 and takes the number of the system instead.
        if (!OperatingSystem.IsWindows())
        {
            var user1 = (PosixSignal)(OperatingSystem.IsMacOS() ? 30 : 10);
            _registrations.Add(PosixSignalRegistration.Create(user1, signal => (_save, signal.Cancel) = (true, true)));
        }

        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => (_stop, signal.Cancel) = (true, true)));
    }

    /// <summary>Whether an end was asked for.</summary>
    public bool StopAsked => _stop;

    /// <summary>Whether a checkpoint was asked for since the last call.</summary>
    public bool TakeSave()
    {
        bool asked = _save;
        _save = false;
        return asked;
    }

    /// <summary>Listens no more.</summary>
    public void Dispose() => _registrations.ForEach(registration => registration.Dispose());
}
