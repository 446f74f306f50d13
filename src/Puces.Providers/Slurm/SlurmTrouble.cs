namespace Puces.Providers.Slurm;

/// <summary>What Slurm's commands say when they fail, and what to do about it. Their words are those of Slurm 20.11 to 25.05.</summary>
internal static class SlurmTrouble
{
    /// <param name="where">The machine on which the command ran.</param>
    /// <param name="said">Its standard error.</param>
    public static ProviderException Of(string where, int code, string said)
    {
        var lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var last = lines.LastOrDefault(l => l.Contains("error:", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? $"a command ended with exit code {code}";
        bool Says(params string[] words) => words.Any(w => said.Contains(w, StringComparison.OrdinalIgnoreCase));
        // No answer says nothing of what was asked for: it may have been done.
        if (Says("Unable to contact slurm controller", "Socket timed out", "Connection refused", "Zero Bytes were transmitted", "Slurm backup controller in standby"))
            return new(Remedy.Retry, $"Slurm's controller does not answer on {where}: {last}", "is slurmctld up? try: scontrol ping");
        if (Says("command not found", ": not found"))
            return new(Remedy.Ask, $"Slurm's commands are not on {where}: {last}", "name a host that has them with login, or install slurm-client where pucesd runs");
        if (Says("Munge", "authentication", "Protocol authentication error"))
            return new(Remedy.Ask, $"Slurm does not know who asks on {where}: {last}", "is munged up there, with the cluster's key? try: munge -n | unmunge");
        if (Says("fatal: Unable to process configuration", "Could not establish a configuration source"))
            return new(Remedy.Ask, $"Slurm's configuration is not to be found on {where}: {last}", "name the slurm.conf with config");
        if (Says("Invalid partition", "invalid partition specified", "Unable to contact partition"))
            return new(Remedy.Elsewhere, $"the cluster has no such partition: {last}", "sinfo shows those that there are");
        if (Says("Invalid account", "Invalid qos", "Invalid wckey", "User's group not permitted", "not permitted to use this partition"))
            return new(Remedy.Ask, $"Slurm does not let us in there: {last}", "sacctmgr show associations user=$USER shows which account and QOS may use which partition");
        if (Says("Job violates accounting/QOS policy", "MaxSubmit", "temporarily unable to accept job"))
            return new(Remedy.Retry, $"Slurm takes no more jobs of ours now: {last}", "wait, or ask for another limit");
        if (Says("Invalid generic resource", "Requested node configuration is not available", "Invalid feature", "More processors requested than permitted", "Memory specification can not be satisfied"))
            return new(Remedy.Elsewhere, $"the partition has no such nodes: {last}", "scontrol show node shows what they have");
        if (Says("Requested time limit is invalid", "time limit"))
            return new(Remedy.Elsewhere, $"the partition does not give so much time: {last}", "sinfo -o '%P %l' shows how much it gives; name less with time");
        if (Says("No space left on device", "Disk quota exceeded")) return new(Remedy.Retry, $"the disk of {where} is full: {last}", "make room there, or name another folder with folder");
        if (Says("Permission denied", "Read-only file system", "cannot create directory"))
            return new(Remedy.Ask, $"the folder cannot be written to on {where}: {last}", "name another with folder, on a file system that the compute nodes share");
        return new(Remedy.Retry, $"{where}: {last}");
    }
}
