using System.Globalization;

namespace Puces.Core.Replay;

/// <summary>
/// Makes traces up from a seed, the same on every machine: whole numbers only. Projects of unequal size have people with recipes that they run again and
/// again; a recipe has its gang, a power of two, and its usual duration, around which durations spread like a log-normal. By day more is submitted than by
/// night, on weekends less, and at times a whole sweep of one recipe at once.
/// </summary>
public static class TraceGenerator
{
    private const int Projects = 6;
    private const int OwnersOfEach = 12;
    private const int RecipesOfEach = 5;

    /// <summary>What is submitted in each hour of a day, in parts.</summary>
    private static readonly int[] Hours = [3, 2, 2, 1, 1, 2, 3, 5, 8, 12, 14, 14, 11, 12, 15, 15, 14, 12, 10, 9, 8, 7, 6, 4];

    /// <summary>Gangs of a recipe, the small ones oftener.</summary>
    private static readonly int[] Gangs = [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16, 32];

    /// <param name="devices">Of the pool that it is for: no gang is larger, and the load is set by it.</param>
    /// <param name="load">Percent of the pool's device time that the jobs ask for while they are submitted.</param>
    public static IReadOnlyList<TraceJob> Generate(int jobs, ulong seed, int devices, int load = 90)
    {
        var luck = new SplitMix64(seed);
        var recipes = Recipes(luck, devices);
        var drawn = new List<(Recipe Recipe, int Seconds, long Submit)>(jobs);
        var work = 0L;
        while (drawn.Count < jobs)
        {
            // Small projects are drawn less often: the lesser of two.
            var recipe = recipes[Math.Min(luck.Below(recipes.Length), luck.Below(recipes.Length))];
            var sweep = luck.Below(40) == 0 ? 4 + luck.Below(29) : 1;
            for (var i = 0; i < sweep && drawn.Count < jobs; i++)
            {
                var seconds = Duration(luck, recipe.Octaves, spread: 1);
                work += (long)seconds * recipe.Gang;
                drawn.Add((recipe, seconds, i == 0 ? -1 : 0));
            }
        }
        var days = Math.Max(1, (int)(work * 100 / ((long)devices * load) / 86_400) + 1);
        var hours = Cumulated(days);
        var moment = 0L;
        for (var i = 0; i < drawn.Count; i++)
        {
            // A sweep is submitted by a loop, a second or so apart.
            moment = drawn[i].Submit < 0 ? Moment(luck, hours) : moment + luck.Below(3);
            drawn[i] = drawn[i] with { Submit = moment };
        }
        return [.. drawn.OrderBy(d => d.Submit).Select((d, i) => new TraceJob(
            "g" + i.ToString(CultureInfo.InvariantCulture), TimeSpan.FromSeconds(d.Submit), TimeSpan.FromSeconds(d.Seconds), d.Recipe.Gang * 1000, Project: d.Recipe.Project,
            Owner: d.Recipe.Owner, Name: d.Recipe.Name, Status: "COMPLETED", MilliCpus: d.Recipe.Gang * 8000))];
    }

    private static Recipe[] Recipes(SplitMix64 luck, int devices)
    {
        var recipes = new List<Recipe>();
        var gangs = Gangs.Where(g => g <= devices).ToArray();
        for (var project = 0; project < Projects; project++)
            for (var owner = 0; owner < OwnersOfEach; owner++)
                for (var recipe = 0; recipe < RecipesOfEach; recipe++)
                    recipes.Add(new(
                        Text($"project-{project}"), Text($"owner-{project}-{owner}"), Text($"train-{project}-{owner}-{recipe}"), gangs[luck.Below(gangs.Length)],
                        luck.Bell(octaves: 9 << Fraction, spread: 3)));
        return [.. recipes];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Bits behind the point of a logarithm to the base 2.</summary>
    private const int Fraction = 10;

    /// <summary>From ten seconds to some twelve days.</summary>
    private static int Duration(SplitMix64 luck, int octaves, int spread)
    {
        var drawn = Math.Clamp(luck.Bell(octaves, spread), 0, 20 << Fraction);
        var (whole, rest) = (drawn >> Fraction, drawn & ((1 << Fraction) - 1));
        return Math.Max(10, (int)(((1L << whole) * ((1 << Fraction) + rest)) >> Fraction));
    }

    private static int[] Cumulated(int days)
    {
        var hours = new int[days * 24];
        var sum = 0;
        for (var i = 0; i < hours.Length; i++) hours[i] = sum += Hours[i % 24] * (i / 24 % 7 >= 5 ? 1 : 3);
        return hours;
    }

    private static long Moment(SplitMix64 luck, int[] hours)
    {
        var found = Array.BinarySearch(hours, luck.Below(hours[^1]) + 1);
        return (found < 0 ? ~found : found) * 3600L + luck.Below(3600);
    }

    private sealed record Recipe(string Project, string Owner, string Name, int Gang, int Octaves);

    /// <summary>Steele, Lea and Flood, OOPSLA'14.</summary>
    private sealed class SplitMix64(ulong seed)
    {
        private ulong _state = seed;

        public int Below(int limit) => (int)((UInt128)Next() * (uint)limit >> 64);

        /// <summary>Around so many parts of an octave, spread like a bell: a standard deviation of <paramref name="spread"/> octaves.</summary>
        public int Bell(int octaves, int spread)
        {
            // The sum of twelve has a variance of one.
            var sum = 0;
            for (var i = 0; i < 12; i++) sum += Below(1 << Fraction);
            return octaves + (sum - (6 << Fraction)) * spread;
        }

        private ulong Next()
        {
            unchecked
            {
                _state += 0x9E3779B97F4A7C15;
                var z = _state;
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                return z ^ (z >> 31);
            }
        }
    }
}
