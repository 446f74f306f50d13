using Puces.Core.Fleet;

namespace Puces.Runner.Devices;

/// <summary>From pairs of devices that fast links join to islands of them.</summary>
internal static class Links
{
    /// <summary>Gives each device that is joined to another the number of its island, which is its lowest device; links of links count.</summary>
    public static void Join(List<Device> devices, Func<int, int, bool> areJoined)
    {
        for (var first = 0; first < devices.Count; first++)
        {
            if (devices[first].Island is not null) continue;
            var reached = new Queue<int>([first]);
            while (reached.TryDequeue(out var from))
                for (var to = 0; to < devices.Count; to++)
                {
                    if (to == first || devices[to].Island is not null || to == from || !areJoined(from, to)) continue;
                    devices[first] = devices[first] with { Island = devices[first].Index };
                    devices[to] = devices[to] with { Island = devices[first].Index };
                    reached.Enqueue(to);
                }
        }
    }
}
