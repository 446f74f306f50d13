using System.Runtime.InteropServices;

namespace Puces.Runner.Posix;

/// <summary>Starts programs without forking: the child shares nothing with this process but what is given here.</summary>
internal static unsafe partial class Spawn
{
    // Larger than posix_spawnattr_t and posix_spawn_file_actions_t of both glibc and musl.
    private const int Room = 1024;
    private const short SetSignalDefaults = 0x04, SetSignalMask = 0x08, SetSession = 0x80;
    private const int SignalSetBytes = 128;

    /// <summary>
    /// How to start this program again. Built ahead of time, it is one file; else <c>dotnet</c> runs a library, or a small host finds it by
    /// its own path.
    /// </summary>
    public static (string Program, string[] Arguments) Self
    {
        get
        {
            var library = Environment.GetCommandLineArgs()[0];
            return !library.EndsWith(".dll", StringComparison.Ordinal) ? ("/proc/self/exe", ["puces-runner"])
                : Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? (Environment.ProcessPath!, ["dotnet", Path.GetFullPath(library)])
                : (Environment.ProcessPath!, [Environment.ProcessPath!]);
        }
    }

    /// <summary>The program's process id, or minus the error number. It leads a session of its own, with all signals at their defaults.</summary>
    public static int Start(string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment, int input, int output, int error)
    {
        var attributes = stackalloc byte[Room];
        var actions = stackalloc byte[Room];
        var all = stackalloc byte[SignalSetBytes];
        var none = stackalloc byte[SignalSetBytes];
        new Span<byte>(none, SignalSetBytes).Clear();
        new Span<byte>(all, SignalSetBytes).Fill(0xFF);

        _ = InitAttributes(attributes);
        _ = SetDefaults(attributes, all);
        _ = SetMask(attributes, none);
        _ = SetFlags(attributes, SetSignalDefaults | SetSignalMask | SetSession);
        _ = InitActions(actions);
        _ = AddDuplicate(actions, input, 0);
        _ = AddDuplicate(actions, output, 1);
        _ = AddDuplicate(actions, error, 2);

        var argv = Strings(arguments);
        var envp = Strings(environment);
        try
        {
            int pid;
            var failed = PosixSpawn(&pid, path, actions, attributes, argv, envp);
            return failed == 0 ? pid : -failed;
        }
        finally
        {
            NativeMemory.Free(argv);
            NativeMemory.Free(envp);
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
        }
    }

    /// <summary>One block: the pointers, a null, and the strings that they point to.</summary>
    private static byte** Strings(IReadOnlyList<string> values)
    {
        var size = (values.Count + 1) * sizeof(byte*);
        for (var i = 0; i < values.Count; i++) size += System.Text.Encoding.UTF8.GetByteCount(values[i]) + 1;
        var block = (byte**)NativeMemory.Alloc((nuint)size);
        var text = (byte*)(block + values.Count + 1);
        var end = (byte*)block + size;
        for (var i = 0; i < values.Count; i++)
        {
            block[i] = text;
            text += System.Text.Encoding.UTF8.GetBytes(values[i], new Span<byte>(text, (int)(end - text)));
            *text++ = 0;
        }
        block[values.Count] = null;
        return block;
    }

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int PosixSpawn(int* pid, string path, byte* actions, byte* attributes, byte** argv, byte** envp);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int InitAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int DestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int SetDefaults(byte* attributes, byte* set);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static partial int SetMask(byte* attributes, byte* set);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDuplicate(byte* actions, int fd, int target);
}
