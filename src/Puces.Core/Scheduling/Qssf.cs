namespace Puces.Core.Scheduling;

/// <summary>
/// Quasi-shortest service first, as Helios has it (Hu et al., SC'21): like <see cref="Srsf"/>, with the run time that history makes expect
/// when the job comes. Theirs learns from names and owners by gradient boosting; this one asks our <see cref="History"/>.
/// </summary>
public sealed class Qssf : IPolicy
{
    public string Name => "qssf";
    public bool IsStrict => true;
    public bool Learns => true;
    public long Rank(Claim claim, TimeSpan now) => (long)(Math.Min(History.Expect(claim, now).Mean, 1e9) * 1000) * claim.Shape.Devices;
}
