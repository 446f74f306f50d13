using CsCheck;
using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Tests.Jobs;

/// <summary>Any spec that a job file may stand for, and what makes two of them equal.</summary>
internal static class JobSpecs
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private static readonly Gen<string> Name = Gen.Select(Gen.Char[Letters], Gen.Char[Letters + "0123456789._-"].Array[0, 63], (first, rest) => first + new string(rest));
    private static readonly Gen<string> Words = Gen.Char.Array[1, 30].Select(c => new string(c)).Where(t => !string.IsNullOrWhiteSpace(t) && CanBeGiven(t));
    private static readonly Gen<string> Path = Among("data", "a/b.txt", "x y/ü", "null", "~", "1");
    private static readonly Gen<string> Variable = Gen.Select(Gen.Char["ABC_xyz"], Gen.Char["ABC_xyz019"].Array[0, 9], (first, rest) => first + new string(rest));
    private static readonly Gen<string> Secret = Gen.Select(Gen.Char["S_T"], Gen.Char["ABC_019"].Array[0, 9], (first, rest) => "SECRET_" + first + new string(rest));
    private static readonly Gen<TimeSpan> Duration = Gen.Long[1, 3650L * 86_400_000].Select(ms => TimeSpan.FromMilliseconds(ms));
    private static readonly Gen<Memory> Amount = Gen.OneOf(Gen.Long[1, 1L << 50], Gen.Long[1, 900].Select(g => g * 1_000_000_000)).Select(b => new Memory(b));
    private static readonly Gen<double> Speed = Gen.OneOf(Gen.Double[0.001, 4000], Gen.Int[1, 4000].Select(i => (double)i));
    private static readonly Gen<Money> Budget = Gen.Select(Gen.Long[1, 1_000_000_000_000_000_000], Among("EUR", "USD", "CHF"), (micros, currency) => new Money(micros, currency));
    private static readonly Gen<DateTimeOffset> Deadline = Gen.Select(Gen.Long[DateTime.UnixEpoch.Ticks, DateTime.UnixEpoch.AddYears(200).Ticks], Gen.Int[-14 * 60, 14 * 60],
        (ticks, minutes) => new DateTimeOffset(ticks, TimeSpan.FromMinutes(minutes)));

    private static readonly Gen<GpuRequest> Gpu = Gen.Select(
        Gen.Int[1, JobFields.MostDevices], Among<string?>(null, "H100", "RTX-4090", "TPU-V5E", "MI300X", "A100-80GB", "GAUDI/2"),
        Range(Amount), Range(Speed), Gen.OneOf(Gen.Const(0), Gen.Int[1, 999]), Among("nvidia", "amd", "intel", "google", "amazon").Array[0, 3],
        (count, name, vram, bf16, share, vendors) => new GpuRequest(share > 0 ? 1 : count, name, vram, bf16, vendors.Length > 0 ? [.. vendors.Distinct()] : null, share));

    private static readonly Gen<CheckpointSpec?> Checkpoint = Maybe(Gen.Select(
        MaybeText(Path), Among("TERM", "USR1", "HUP"), MaybeTime(Duration), MaybeTime(Duration), (path, signal, grace, every) => new CheckpointSpec(path, signal, grace, every)));

    private static readonly Gen<RetrySpec?> Retries = Maybe(Gen.Select(
        Gen.Int[0, JobFields.MostRetries], MaybeTime(Duration), Maybe(Gen.Int[1, 255].Array[0, 4].Select(codes => (IReadOnlyList<int>)[.. codes.Distinct()])),
        (count, backoff, codes) => new RetrySpec(count, backoff, codes)));

    private static readonly Gen<RunCommand> Run = Gen.OneOf(
        Words.Select(script => new RunCommand(Script: script)),
        Gen.Select(Words, Gen.OneOf(Words, Gen.Const(""), Gen.Const(" ")).Array[0, 5], (program, rest) => new RunCommand(Arguments: [program, .. rest])));

    private static readonly Gen<JobSpec> Basic = Gen.Select(
        Name, Run, Gpu.Array[0, 3], Gen.Int[1, JobFields.MostNodes], Gen.Int[0, 4_096_000], Gen.OneOf(Gen.Const(default(Memory)), Amount), Name.Array[0, 3], Gen.Int[0, 2],
        (name, run, gpus, nodes, milliCpus, memory, where, spot) => new JobSpec(name, run, gpus.Length > 0 ? gpus : null, gpus.Any(g => g.Share > 0) ? 1 : nodes,
            milliCpus > 0 ? milliCpus / 1000.0 : null, memory.Bytes > 0 ? memory : null, where.Length > 0 ? [.. where.Distinct()] : null, (SpotUse)spot));

    private static readonly Gen<(Money?, DateTimeOffset?, TimeSpan?, TimeSpan?, int, string)> Terms = Gen.Select(
        Gen.Select(Gen.Bool, Budget, (has, value) => has ? value : (Money?)null), Gen.Select(Gen.Bool, Deadline, (has, value) => has ? value : (DateTimeOffset?)null),
        MaybeTime(Duration), MaybeTime(Duration), Gen.Int[-1000, 1000], Gen.OneOf(Gen.Const("default"), Name));

    private static readonly Gen<(string?, string?, string?, Dictionary<string, string>?, Dictionary<string, string>?, string[]?)> Surroundings = Gen.Select(
        Among<string?>(null, "pytorch:2", "a/b@sha256:0"), MaybeText(Words), MaybeText(Path),
        Map(Path, Path), Map(Variable, Gen.OneOf(Words, Gen.Const(""))), Secret.Array[0, 3].Select(s => s.Length > 0 ? s.Distinct().ToArray() : null));

    public static readonly Gen<JobSpec> Any = Gen.Select(Basic, Terms, Checkpoint, Surroundings, Retries, (spec, terms, checkpoint, around, retries) => spec with
    {
        Budget = terms.Item1,
        Deadline = terms.Item2,
        Expected = terms.Item3,
        Limit = terms.Item4,
        Priority = terms.Item5,
        Project = terms.Item6,
        Checkpoint = checkpoint,
        Image = around.Item1,
        Setup = around.Item2,
        Workdir = around.Item3,
        Mounts = around.Item4,
        Env = around.Item5,
        Secrets = around.Item6,
        Retries = retries,
    });

    /// <summary>Equal in every field, lists and maps by their content.</summary>
    public static bool Same(JobSpec a, JobSpec b) =>
        a with { Run = b.Run, Gpus = b.Gpus, Where = b.Where, Mounts = b.Mounts, Env = b.Env, Secrets = b.Secrets, Retries = b.Retries } == b
        && a.Deadline?.Offset == b.Deadline?.Offset
        && a.Run.Script == b.Run.Script && Same(a.Run.Arguments, b.Run.Arguments) && Same(a.Where, b.Where) && Same(a.Secrets, b.Secrets)
        && Same(a.Mounts?.OrderBy(p => p.Key, StringComparer.Ordinal).ToList(), b.Mounts?.OrderBy(p => p.Key, StringComparer.Ordinal).ToList())
        && Same(a.Env?.OrderBy(p => p.Key, StringComparer.Ordinal).ToList(), b.Env?.OrderBy(p => p.Key, StringComparer.Ordinal).ToList())
        && Same(a.Gpus?.Select(g => g with { Vendors = null }).ToList(), b.Gpus?.Select(g => g with { Vendors = null }).ToList())
        && Same(a.Gpus?.Select(g => string.Join(' ', g.Vendors ?? [])).ToList(), b.Gpus?.Select(g => string.Join(' ', g.Vendors ?? [])).ToList())
        && a.Retries?.Count == b.Retries?.Count && a.Retries?.Backoff == b.Retries?.Backoff && Same(a.Retries?.RestartCodes, b.Retries?.RestartCodes);

    private static bool Same<T>(IReadOnlyList<T>? a, IReadOnlyList<T>? b) => a is null || b is null ? a is null && b is null : a.SequenceEqual(b);

    private static Gen<T> Among<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static Gen<T?> Maybe<T>(Gen<T> gen) where T : class => Gen.Select(Gen.Bool, gen, (has, value) => has ? value : null);

    private static Gen<string?> MaybeText(Gen<string> gen) => Maybe(gen);

    private static Gen<TimeSpan?> MaybeTime(Gen<TimeSpan> gen) => Gen.Select(Gen.Bool, gen, (has, value) => has ? value : (TimeSpan?)null);

    private static Gen<Bounds<T>?> Range<T>(Gen<T> gen) where T : struct, IComparable<T> => Gen.Select(Gen.Int[0, 3], gen, gen, (ends, a, b) =>
        ends == 0 ? (Bounds<T>?)null
        : ends == 1 ? new Bounds<T>(a, null)
        : ends == 2 ? new Bounds<T>(null, a)
        : a.CompareTo(b) <= 0 ? new Bounds<T>(a, b) : new Bounds<T>(b, a));

    private static Gen<Dictionary<string, string>?> Map(Gen<string> key, Gen<string> value) =>
        Gen.Select(key, value).Array[0, 4].Select(pairs => pairs.Length == 0 ? null : pairs.DistinctBy(p => p.Item1).ToDictionary(p => p.Item1, p => p.Item2));

    private static bool CanBeGiven(string text) => FieldReader.CanBeGiven(text);
}
