using System.Runtime.InteropServices;

namespace Puces.Runner.Posix;

/// <summary>The system calls that the runner needs, as the C library has them on 64-bit Linux.</summary>
internal static unsafe partial class Libc
{
    public const int ReadOnly = 0, WriteOnly = 1, ReadWrite = 2;
    public const int Create = 0x40, Exclusive = 0x80, Truncate = 0x200, Append = 0x400, NonBlock = 0x800, CloseOnExec = 0x80000;
    public const int LockExclusive = 2, LockNow = 4;
    public const int NoHang = 1;
    public const short PollIn = 1, PollOut = 4, PollError = 8, PollHangUp = 16;

    public const int NoEntry = 2, Interrupted = 4, IoError = 5, NoChild = 10, Again = 11, AccessDenied = 13, Exists = 17;
    public const int NoSpace = 28, OverQuota = 122, BrokenPipe = 32;

    private const int PrSetChildSubreaper = 36, SetStatusFlags = 4, GetStatusFlags = 3, DuplicateCloseOnExec = 1030;
    private const int PidFdOpenNumber = 434;
    private const int GetOpenFileLock = 36, SetOpenFileLock = 37;
    private const short WriteLock = 1, Unlocked = 2;

    public static int Errno => Marshal.GetLastPInvokeError();

    public static string Why(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Open(string path, int flags, int mode = 0x180);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadRaw(int fd, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint ReadAtRaw(int fd, byte* buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteRaw(int fd, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int SetLength(int fd, long length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(int fd, long offset, int from);

    /// <summary>The length of the file.</summary>
    public static long SeekEnd(int fd) => Seek(fd, 0, 2);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(int fd, int operation);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int MakeFifo(string path, int mode);

    [LibraryImport("libc", EntryPoint = "mkdir", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int MakeFolder(string path, int mode = 0x1C0);

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "unlink", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Unlink(string path);

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Access(string path, int mode);

    [LibraryImport("libc", EntryPoint = "chdir", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int ChangeFolder(string path);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
    public static partial int NewSession();

    [LibraryImport("libc", EntryPoint = "getuid")]
    public static partial int UserId();

    [LibraryImport("libc", EntryPoint = "getgid")]
    public static partial int GroupId();

    [LibraryImport("libc", EntryPoint = "getpid")]
    public static partial int ProcessId();

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint SetSignal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int fd, int command, int argument);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int ControlLock(int fd, int command, FileLock* argument);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint a, nint b);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static partial int Pipe2(int* fds, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollRaw(PollEntry* entries, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "wait4", SetLastError = true)]
    private static partial int Wait4(int pid, int* status, int options, ResourceUse* use);

    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint n;
            while ((n = ReadRaw(fd, start, buffer.Length)) < 0 && Errno == Interrupted) { }
            return (int)n;
        }
    }

    public static int ReadAt(int fd, Span<byte> buffer, long offset)
    {
        fixed (byte* start = buffer)
        {
            nint n;
            while ((n = ReadAtRaw(fd, start, buffer.Length, offset)) < 0 && Errno == Interrupted) { }
            return (int)n;
        }
    }

    public static int Write(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            nint n;
            while ((n = WriteRaw(fd, start, bytes.Length)) < 0 && Errno == Interrupted) { }
            return (int)n;
        }
    }

    /// <summary>The ends of a new pipe, closed on exec; -1 for both where it failed.</summary>
    public static (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        return Pipe2(ends, CloseOnExec) == 0 ? (ends[0], ends[1]) : (-1, -1);
    }

    /// <summary>Puts another descriptor in the place of one, which the children inherit; returns what was there, which they do not.</summary>
    public static int Replace(int fd, int by)
    {
        var before = Control(fd, DuplicateCloseOnExec, 3);
        _ = Duplicate(by, fd);
        return before;
    }

    public static void SetNonBlocking(int fd, bool on)
    {
        var flags = Control(fd, GetStatusFlags, 0);
        if (flags >= 0) _ = Control(fd, SetStatusFlags, on ? flags | NonBlock : flags & ~NonBlock);
    }

    /// <summary>Locks the file for as long as the descriptor is open, which ends with the process at the latest; false where another has it.</summary>
    public static bool TryHold(int fd)
    {
        var wanted = new FileLock { Type = WriteLock };
        return ControlLock(fd, SetOpenFileLock, &wanted) == 0;
    }

    /// <summary>Whether someone holds the file. Asking takes no lock, not even for a moment.</summary>
    public static bool IsHeld(int fd)
    {
        var wanted = new FileLock { Type = WriteLock };
        return ControlLock(fd, GetOpenFileLock, &wanted) == 0 && wanted.Type != Unlocked;
    }

    /// <summary>How many entries are ready; 0 after the time, or where a signal came.</summary>
    public static int Poll(Span<PollEntry> entries, int timeoutMs)
    {
        fixed (PollEntry* first = entries) return Math.Max(0, PollRaw(first, (nuint)entries.Length, timeoutMs));
    }

    /// <summary>A descriptor that is readable once the process has ended; -1 where there is no such process, or the kernel is older than 5.3.</summary>
    public static int WatchProcess(int pid) => (int)SystemCall(PidFdOpenNumber, pid, 0);

    public static int Wait(int pid, out int status, out ResourceUse use)
    {
        int seen;
        ResourceUse used;
        int found;
        while ((found = Wait4(pid, &seen, NoHang, &used)) < 0 && Errno == Interrupted) { }
        (status, use) = found > 0 ? (seen, used) : default;
        return found;
    }

    /// <summary>Orphans below this process become its children instead of init's, or no longer do.</summary>
    public static void AdoptOrphans(bool on = true) => _ = ProcessControl(PrSetChildSubreaper, on ? 1u : 0u, 0, 0, 0);

    /// <summary>A closed pipe is an error of the write, not the end of the process.</summary>
    public static void IgnoreBrokenPipes() => _ = SetSignal(Signals.Pipe, 1);
}

[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry(int fd, short events)
{
    public int Fd = fd;
    public short Events = events;
    public short Found;
}

/// <summary><c>struct flock</c>: the whole file, where nothing else is set.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct FileLock
{
    public short Type;
}

/// <summary><c>struct rusage</c>: times in seconds and microseconds, memory in KiB.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ResourceUse
{
    private readonly long _userSeconds, _userMicros, _systemSeconds, _systemMicros;
    private readonly long _maxKib;
    private fixed long _rest[13];

    public readonly TimeSpan Cpu => TimeSpan.FromMicroseconds((_userSeconds + _systemSeconds) * 1_000_000 + _userMicros + _systemMicros);
    public readonly long PeakMemory => _maxKib * 1024;
}
