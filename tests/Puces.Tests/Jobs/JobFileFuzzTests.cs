using System.Diagnostics;
using System.Text;
using CsCheck;
using Puces.Cli.JobFiles;
using Puces.Core.Jobs;
using Xunit;

namespace Puces.Tests.Jobs;

/// <summary>Broken files by the ten thousand: whatever stands in them, the answer is a spec or errors, soon.</summary>
public sealed class JobFileFuzzTests
{
    private const int Inputs = 20_000;
    private const string Odd = "{}[]:,-?#&*!|>'\"%@` \t\n\r\\~<=+./0aZ\0\u0085\u2028\u202e\uFEFFé€😀";

    private static readonly string[] Good =
    [
        "name: a\ngpus: H100:8\nnodes: 2\nrun: |\n  echo a\n  echo b\nenv:\n  A: 1\n  B: \"x\\ty\"\n",
        "x-base: &base {A: '1', B: 2}\nenv:\n  <<: *base\n  C: 3\nrun: [python, train.py]\nretries: {count: 3, backoff: 30s}\n",
        "gpus:\n- {vram: 80GB+, count: 8, vendor: [nvidia, amd]}\n- A100:4\nmemory: 64GiB\ncheckpoint:\n  signal: USR1\n  grace: 2m\nrun: >-\n  a\n  b\n",
        "where: [eu, NO]\nspot: auto\nbudget: €200\ndeadline: 2030-06-01T08:00:00+02:00\nlimit: 01:30:00\nrun: x\nmounts: {data/a: ../a}\nsecrets: [HF_TOKEN]\n",
        "{\"name\":\"j\",\"gpus\":[\"H100:8\",{\"bf16\":\"300..900\"}],\"run\":[\"a\",\"b\"],\"env\":{\"A\":\"\\u00e9\"},\"limit\":\"1h30m\"}",
    ];

    [Fact]
    public void A_broken_file_gives_errors_and_nothing_else()
    {
        var random = new Random(20260801);
        var (watch, slowest, right) = (Stopwatch.StartNew(), TimeSpan.Zero, 0);
        for (var i = 0; i < Inputs; i++)
        {
            var text = Broken(random);
            var start = watch.Elapsed;
            var loaded = WrongJobFileTests.Load(text, text.StartsWith('{') && i % 2 == 0 ? "puces.json" : "puces.yaml");
            if (watch.Elapsed - start > slowest) slowest = watch.Elapsed - start;
            Assert.True(loaded.Spec is null == loaded.Errors.Count > 0, text);
            JobFileErrors.Render(loaded.Source, loaded.Errors, colour: false);
            if (loaded.Spec is null) continue;
            right++;
            Assert.True(JobSpecs.Same(loaded.Spec, JobSpecJson.Read(JobSpecJson.Write(loaded.Spec))), text);
        }
        TestContext.Current.TestOutputHelper!.WriteLine($"{Inputs} inputs in {watch.Elapsed.TotalSeconds:0.0} s, slowest {slowest.TotalMilliseconds:0.0} ms, {right} right");
        Assert.InRange(right, Inputs / 100, Inputs);
    }

    [Fact]
    public void Any_value_under_any_key_gives_a_spec_or_errors()
    {
        var value = Gen.OneOf(Gen.String, Gen.Char["0123456789.:-+eEKMGTBis "].Array[0, 45].Select(c => new string(c)), Gen.Double.Select(d => d.ToString("R")), Gen.Long.Select(l => l.ToString()));
        Gen.Select(Gen.Int[0, JobFields.All.Count - 1], value, Gen.Int[0, 4]).Sample((index, text, form) =>
        {
            var field = JobFields.All[index];
            SpecNode scalar = new SpecNode.Scalar(default, text, false);
            var node = form switch { 0 => new SpecNode.Sequence(default, [scalar, scalar]), 1 => new SpecNode.Mapping(default, [new(text, default, scalar)]), _ => scalar };
            var entry = new SpecEntry(field.Key, default, node);
            if (field.Section.Length > 0) entry = new(field.Section, default, new SpecNode.Mapping(default, [entry]));
            var (spec, errors) = JobFile.Bind(new SpecNode.Mapping(default, [entry, new("run", default, scalar)]), new("name"));
            return spec is null ? errors.Count > 0 : JobSpecs.Same(spec, JobSpecJson.Read(JobSpecJson.Write(spec)));
        }, iter: 50_000);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("a:\n ")]
    [InlineData("\"")]
    [InlineData("&a ")]
    [InlineData("!")]
    [InlineData("*a ")]
    [InlineData("a: b\n")]
    [InlineData("|\n")]
    [InlineData("\t")]
    [InlineData("%a\n")]
    [InlineData("---\n")]
    [InlineData("'a' ")]
    public void A_mebibyte_of_one_thing_is_answered_and_does_not_hang(string part)
    {
        var text = new StringBuilder().Insert(0, part, (1 << 20) / part.Length).ToString();
        var watch = Stopwatch.StartNew();
        Assert.NotEmpty(WrongJobFileTests.Load(text).Errors);
        TestContext.Current.TestOutputHelper!.WriteLine($"{watch.Elapsed.TotalMilliseconds:0} ms");
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));   // a guard against hanging, also on a machine that is busy
    }

    private static string Broken(Random random)
    {
        var text = new StringBuilder(Good[random.Next(Good.Length)]);
        for (var edits = random.Next(1, 5); edits > 0 && text.Length > 0; edits--)
        {
            var at = random.Next(text.Length);
            var length = Math.Min(random.Next(1, 12), text.Length - at);
            switch (random.Next(6))
            {
                case 0: text.Remove(at, length); break;
                case 1: text.Insert(at, Odd[random.Next(Odd.Length)]); break;
                case 2: text[at] = Odd[random.Next(Odd.Length)]; break;
                case 3: text.Insert(random.Next(text.Length), text.ToString(at, length)); break;
                case 4: text.Insert(at, (char)random.Next(0x10000)); break;
                default: text.Length = Math.Max(1, at); break;
            }
        }
        return text.ToString();
    }
}
