namespace Puces.Providers.Slurm;

/// <summary>
/// What runs on the cluster, in the Bourne shell. A lease has a folder that both sides see, <c>leases/ID</c>, or <c>released/ID</c> after it
/// was given back:
/// <code>
/// job        Slurm's number of the job, and when it was asked for in seconds since 1970
/// taken      a link that names the one job that has the lease
/// end        how it ended: a state of Slurm's, or "exit CODE" from the job's own script
/// job.sh, slurm.log
/// mail-N/    the mailbox of node N
/// node-N/    the runner's folder of node N: it outlives the job, verdicts and logs included
/// </code>
/// </summary>
internal static class SlurmScripts
{
    /// <summary>
    /// The job: a mailbox on each node of the gang. Slurm has no submission that could be repeated, so that a lease may have been asked for twice
    /// by a daemon that lost an answer: the second job finds the lease taken and ends.
    /// </summary>
    public const string Job = """
        #!/bin/sh
        # Written by Puces: a lease of the nodes of one gang. The daemon's jobs run below it.
        lease=$1 runner=$2 blobs=$3 shared=$4
        umask 077
        ln -s "$SLURM_JOB_ID" "$lease/taken" 2>/dev/null
        [ "$(readlink "$lease/taken")" = "$SLURM_JOB_ID" ] || { echo "this lease is job $(readlink "$lease/taken")'s"; exit 0; }
        stop() { for mail in "$lease"/mail-*; do echo "$1" > "$mail/stop"; done; }
        trap 'stop "the time of its Slurm job is over"' USR1
        trap 'stop "its Slurm job was told to end"' TERM
        srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
          --kill-on-bad-exit=0 --wait=0 --mpi=none --input=none --export=ALL sh -c '
            PUCES_ADDRESS=$(getent hosts "$SLURMD_NODENAME" >/dev/null 2>&1 && echo "$SLURMD_NODENAME" || hostname)
            export PUCES_ADDRESS PUCES_SHARED="$4"
            exec "$2" mailbox "$1/mail-$SLURM_NODEID" --root "$1/node-$SLURM_NODEID" --blobs "$3"' sh "$lease" "$runner" "$blobs" "$shared" &
        nodes=$!
        # A signal ends the wait, and not what is waited for.
        while kill -0 "$nodes" 2>/dev/null; do wait "$nodes"; code=$?; done
        [ -s "$lease/end" ] || echo "exit $code" > "$lease/end"
        exit "$code"
        """;

    /// <summary>What <see cref="Acquire"/> answers where the job was submitted now.</summary>
    public const string Asked = "asked";

    /// <summary>
    /// Submits the job, unless Slurm knows one with its comment, or the folder does. The answer of a submission may be lost, so that the looking
    /// comes first each time.
    /// </summary>
    /// <param name="options">For <c>sbatch</c>, each quoted.</param>
    public static string Acquire(string lease, string comment, int nodes, string options) => $$"""
        l="$i/leases/{{lease}}"; known=$(squeue -h -t all -u "$(id -un)" -o '%i %k')
        job=$(printf '%s\n' "$known" | awk -v c='{{comment}}' '$2 == c { print $1 }' | sort -n | head -n 1)
        if [ -z "$job" ] && [ ! -s "$l/job" ] && [ ! -L "$l/taken" ] && [ ! -d "$i/released/{{lease}}" ]; then
          mkdir -p "$l" "$i/blobs" "$i/shared"
          n=0; while [ $n -lt {{nodes}} ]; do mkdir -p "$l/mail-$n" "$l/node-$n"; for f in here stop call; do : > "$l/mail-$n/$f"; done; n=$((n + 1)); done
          cat > "$l/job.sh" <<'PUCES'
        {{Job}}
        PUCES
          job=$(sbatch --parsable {{options}} --output="$l/slurm.log" --error="$l/slurm.log" --chdir="$l" "$l/job.sh" "$l" "$r" "$i/blobs" "$i/shared"); job=${job%%;*}
          echo {{Asked}}
        fi
        if [ -n "$job" ] && [ ! -s "$l/job" ]; then mkdir -p "$l"; echo "$job $(date +%s)" > "$l/job"; fi
        """;

    /// <summary>
    /// All jobs of ours and all leases in one call, which starts as few programs as can be: it is made often. First the jobs, then what lies in
    /// the leases' folders, then what their files say.
    /// </summary>
    public static string Observe(string owner) => $$"""
        known=$(squeue -h -t all -u "$(id -un)" -o '{{SlurmText.JobFields}}')
        printf '%s\n' "$known" | grep '|puces:{{owner}}:' || true; echo --
        cd "$i/leases" 2>/dev/null || exit 0
        find . -mindepth 1 -maxdepth 2 -printf '%P|%l\n'; echo --
        grep -sH '' */job */end */mail-*/here || true
        """;

    /// <summary>What the accounting, where there is one, knows of jobs that Slurm itself has forgotten: number, when it was submitted, state.</summary>
    public static string Past(IEnumerable<long> jobs) => $"sacct -X -n -P -j {string.Join(',', jobs)} -o JobIDRaw,Submit,State 2>/dev/null || true";

    /// <summary>
    /// How a job has ended is written down where it is seen first: Slurm forgets it after five minutes. Folders of leases that were given back
    /// are kept for a week, for people who look for what happened.
    /// </summary>
    public static string Tidy(IEnumerable<(string Lease, string State)> ended, IEnumerable<string> givenBack) => string.Join('\n',
    [
        .. ended.Select(e => $"""[ ! -d "$i/leases/{e.Lease}" ] || echo '{e.State}' > "$i/leases/{e.Lease}/end" """),
        .. givenBack.Select(l => $"""mkdir -p "$i/released"; [ ! -d "$i/leases/{l}" ] || mv "$i/leases/{l}" "$i/released/{l}"; touch "$i/released/{l}" """),
        """[ ! -d "$i/released" ] || find "$i/released" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +""",
    ]);

    public static string Release(string lease, string comment) => $$"""
        known=$(squeue -h -t all -u "$(id -un)" -o '%i %k')
        [ ! -d "$i/leases/{{lease}}" ] || touch "$i/leases/{{lease}}/given-back"
        for job in $(printf '%s\n' "$known" | awk -v c='{{comment}}' '$2 == c { print $1 }'); do scancel "$job"; done
        """;

    /// <summary>
    /// To a node of a lease: through its mailbox to its agent as long as the job may be there; afterwards, an agent over the same folder, which starts
    /// nothing, says what became of the ranks.
    /// </summary>
    /// <param name="command">Of the runner, each word quoted.</param>
    public static string Node(string lease, int number, bool isOver, bool isAgent, string command)
    {
        var find = $$"""l="$i/leases/{{lease}}"; [ -d "$l" ] || l="$i/released/{{lease}}"; export PUCES_SHARED="$i/shared"; """;
        if (isAgent && !isOver) return find + $$"""exec "$r" relay "$l/mail-{{number}}" """;
        return find + (isAgent ? $$"""[ -e "$l/node-{{number}}/over" ] || { mkdir -p "$l/node-{{number}}"; echo 'its Slurm job has ended' > "$l/node-{{number}}/over"; }; """ : "")
            + $$"""exec "$r" {{command}} --root "$l/node-{{number}}" --blobs "$i/blobs" """;
    }
}
