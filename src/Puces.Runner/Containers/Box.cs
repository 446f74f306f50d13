using Puces.Core.Fleet;

namespace Puces.Runner.Containers;

/// <summary>All that an engine is told of the container of one rank. Folders have the same path inside as outside.</summary>
/// <param name="Name">Of the container: the rank's tag and its runner's folder. An engine gives a name once.</param>
/// <param name="Image">As the job file has it.</param>
/// <param name="Folders">What it sees of the node, writable.</param>
/// <param name="Variables">Its environment, secrets included: in no command line.</param>
/// <param name="Scratch">A folder of the rank, for what an engine needs to be told by a file.</param>
/// <param name="Images">Where engines that keep an image as one file have theirs.</param>
/// <param name="Devices">Real ones that it shall see; what is configured for trials is not among them.</param>
/// <param name="MilliCpus">Zero for no limit.</param>
/// <param name="Memory">In bytes; zero for no limit.</param>
/// <param name="User">Whose files it writes.</param>
/// <param name="Groups">Further groups of that user: the ones that may open the devices of AMD and Intel.</param>
internal sealed record Box(
    string Name, string Image, string Work, IReadOnlyList<string> Folders, IReadOnlyDictionary<string, string> Variables, string Scratch, string Images,
    IReadOnlyList<string> Command, IReadOnlyList<Device> Devices, int MilliCpus, long Memory, int User, int Group, IReadOnlyList<int> Groups)
{
    /// <summary>A file that sets the variables, for engines that take one.</summary>
    public string VariablesFile => Scratch + "/variables";

    /// <summary>A script that goes to the work directory and there becomes the command that it is given.</summary>
    public string EnterScript => Scratch + "/enter.sh";

    /// <summary>Devices of that vendor, as its tools name them for good: by what does not change with who else sees which.</summary>
    public string Of(string vendor) => string.Join(',', Devices.Where(d => d.Vendor == vendor).Select(d => d.Uuid ?? Text(d.Index)));

    public bool Has(string vendor) => Devices.Any(d => d.Vendor == vendor);

    public static string Text(long number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
