using Xunit;

namespace Puces.Testing;

/// <summary>The runner as one native file, which is what is brought to other machines.</summary>
public static class NativeRunner
{
    /// <summary>Its path. Skips the test where it has not been compiled.</summary>
    public static string Path
    {
        get
        {
            var path = Environment.GetEnvironmentVariable("PUCES_TEST_NATIVE_RUNNER") ?? Find();
            Assert.SkipUnless(path is not null && new FileInfo(path) is { Exists: true, Length: > 1 << 20 }, "the native runner is not built: run ./test, or PUCES_BUILD=native ./puces version");
            return path;
        }
    }

    private static string? Find()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = System.IO.Path.GetDirectoryName(folder))
            if (System.IO.Path.Combine(folder, "artifacts", "bin-puces", "puces-runner") is var runner && File.Exists(runner)) return runner;
        return null;
    }
}
