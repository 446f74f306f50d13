namespace Puces.Providers.Kubernetes;

/// <summary>What a pod itself runs, in any Bourne shell; jobs come later, by exec.</summary>
internal static class PodScript
{
    /// <summary>
    /// Waits, so that the pod outlives the daemon's connections. Arguments: the folder of ours; after how many seconds without a word from the daemon
    /// it ends by itself (0 for never), which is later than the runner has stopped all jobs by.
    /// When the pod is told to end (released, evicted, its node reclaimed) jobs are asked to save themselves, and the daemon hears of it.
    /// </summary>
    public const string Main = """
        d=$1 patience=$2 silent=0 last=
        umask 077
        leave() {
          trap '' TERM INT
          if [ -s "$d/runner" ]; then "$(cat "$d/runner")" leave "its pod was told to end" --root "$d/node" --blobs "$d/blobs"; fi
          exit 0
        }
        trap leave TERM INT
        while [ "$patience" -eq 0 ] || [ "$silent" -lt "$patience" ]; do
          sleep 5 & wait $!
          heard=$(cat "$d/node/heard" 2>/dev/null)
          if [ "$heard" = "$last" ]; then silent=$((silent + 5)); else last=$heard silent=0; fi
        done
        echo "nothing was heard of Puces' daemon for $patience s" > /dev/termination-log
        """;
}
