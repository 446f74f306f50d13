using System.Runtime.InteropServices;

namespace Puces.Cli.Packing;

internal enum FileKind { File, Folder, Link, Other }

/// <summary>What the file system says of a path, not following a link at its end.</summary>
/// <param name="Stamp">Changes whenever the content may have: inode and times to the nanosecond; null where the system does not say.</param>
/// <param name="Changed">The later of the last changes of content and of facts.</param>
internal sealed partial record FileFacts(FileKind Kind, UnixFileMode Mode, long Size, string? Stamp, DateTimeOffset Changed)
{
    private const UnixFileMode Permissions = (UnixFileMode)0b111_111_111;

    public static FileFacts Of(string path) => OperatingSystem.IsLinux() ? Native.Of(path) : Portable(path);

    private static FileFacts Portable(string path)
    {
        var info = new FileInfo(path);
        var kind = info.Attributes.HasFlag(FileAttributes.ReparsePoint) ? FileKind.Link
            : info.Attributes.HasFlag(FileAttributes.Directory) ? FileKind.Folder : FileKind.File;
        return new(kind, info.UnixFileMode & Permissions, kind is FileKind.File ? info.Length : 0, null, info.LastWriteTimeUtc);
    }

    // statx(2): the one call whose structure is the same on every architecture, and the only way to tell a pipe from a file.
    private static partial class Native
    {
        private const int AT_FDCWD = -100;
        private const int AT_SYMLINK_NOFOLLOW = 0x100;
        private const uint STATX_BASIC_STATS = 0x7ff;

        public static FileFacts Of(string path)
        {
            if (Statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, out var stat) != 0)
                throw new IOException($"cannot look at {path}: {Marshal.GetLastPInvokeErrorMessage()}");
            var kind = (stat.Mode & 0xf000) switch
            {
                0x8000 => FileKind.File,
                0x4000 => FileKind.Folder,
                0xa000 => FileKind.Link,
                _ => FileKind.Other,
            };
            var stamp = $"{stat.Inode} {stat.ModifySeconds}.{stat.ModifyNanoseconds} {stat.ChangeSeconds}.{stat.ChangeNanoseconds}";
            var changed = DateTimeOffset.FromUnixTimeSeconds(Math.Max(stat.ModifySeconds, stat.ChangeSeconds));
            return new(kind, (UnixFileMode)stat.Mode & Permissions, kind is FileKind.File ? (long)stat.Size : 0, stamp, changed);
        }

        [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        private static partial int Statx(int folder, string path, int flags, uint mask, out Stat stat);

        [StructLayout(LayoutKind.Explicit, Size = 256)]
        private struct Stat
        {
            [FieldOffset(28)] public ushort Mode;
            [FieldOffset(32)] public ulong Inode;
            [FieldOffset(40)] public ulong Size;
            [FieldOffset(96)] public long ChangeSeconds;
            [FieldOffset(104)] public uint ChangeNanoseconds;
            [FieldOffset(112)] public long ModifySeconds;
            [FieldOffset(120)] public uint ModifyNanoseconds;
        }
    }
}
