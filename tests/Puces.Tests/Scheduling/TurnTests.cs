using CsCheck;
using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Scheduling;

public sealed class TurnTests
{
    private static readonly Gen<Turn> Any = Gen.Select(Gen.Int[-2, 2], Gen.Long[1, 5], (priority, job) => new Turn(priority, new(job)));

    [Fact]
    public void The_higher_priority_goes_first_then_the_lower_number()
    {
        Turn[] turns = [new(0, new(2)), new(-100, new(1)), new(100, new(4)), new(0, new(1)), new(100, new(3))];
        Assert.Equal([new(100, new(3)), new(100, new(4)), new(0, new(1)), new(0, new(2)), new(-100, new(1))], turns.Order());
    }

    [Fact]
    public void Two_turns_have_one_order() => Gen.Select(Any, Any).Sample((a, b) =>
        a.CompareTo(b) == -b.CompareTo(a) && a.CompareTo(b) == 0 == (a == b)
        && a < b == a.CompareTo(b) < 0 && a <= b == a.CompareTo(b) <= 0 && a > b == b < a && a >= b == b <= a);
}
