#!/bin/bash
# A real Slurm on this machine, for tests and benchmarks side by side: controller, nodes and munge of its own on loopback ports, with
# pretended devices, everything in one folder (not on NFS). Daemons and jobs run as the caller, root.
#
#   slurm-local.sh install DIR      Debian's packages. Known to work on Debian 12 (Slurm 22.05.8)
#   slurm-local.sh up      DIR      configure, start, wait until all nodes are idle, run a job on a device
#   slurm-local.sh env     DIR      the variables that a client needs: eval "$(slurm-local.sh env DIR)"
#   slurm-local.sh token   DIR      a token for slurmrestd (REST=1)
#   slurm-local.sh login   DIR      a login node beside it: sshd at port PORT+3 for the caller with the key DIR/etc/ssh/key;
#                                   drop DIR breaks all connections to it
#   slurm-local.sh kill-controller  DIR    kill -9 slurmctld
#   slurm-local.sh start-controller DIR    start it again, and wait until it answers
#   slurm-local.sh cut     DIR NODE FOLDER take a node off the network: slurmd answers no more, and a shared folder is out of its sight;
#                                          what runs there goes on. mend DIR NODE FOLDER puts it back
#   slurm-local.sh down    DIR      stop every daemon by its recorded process id; the state stays
#
# Variables and their defaults: NODES=4 GPUS=4 CPUS=16 MEM=65536 (MiB) GPU_TYPE=fake
#   PORT=17000 (up to PORT+NODES+10)   REST=0 (1: slurmrestd too)   ACCT=0 (1: accounting, by slurmdbd and
#   MariaDB; sacctmgr has the account puces, and nothing runs without one)   MIN_JOB_AGE=30 (s)   EXTRA='lines for slurm.conf'
set -euo pipefail

NODES=${NODES:-4} GPUS=${GPUS:-4} CPUS=${CPUS:-16} MEM=${MEM:-65536} GPU_TYPE=${GPU_TYPE:-fake}
PORT=${PORT:-17000} REST=${REST:-0} ACCT=${ACCT:-0} MIN_JOB_AGE=${MIN_JOB_AGE:-30} EXTRA=${EXTRA:-}
SCHEDULER=bf_interval=2,bf_resolution=1,bf_continue,bf_window=1440,bf_max_job_test=1000,sched_min_interval=0,batch_sched_delay=0,max_array_tasks=20000
HERE=$(cd -- "$(dirname -- "$0")" && pwd)

usage() { sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
[ $# -ge 2 ] || usage
CMD=$1 DIR=$(mkdir -p "$2" && cd "$2" && pwd)

# A unix socket path is limited to 107 bytes, and slurmstepd puts <spool>/<node>_<job>.<step> there.
[ ${#DIR} -le 60 ] || { echo "DIR is too long (${#DIR} > 60 characters): unix sockets would not fit" >&2; exit 2; }

ETC=$DIR/etc RUN=$DIR/run LOG=$DIR/log STATE=$DIR/state DEV=$DIR/dev
export SLURM_CONF=$ETC/slurm.conf
CTLD_PORT=$PORT REST_PORT=$((PORT + 2)) LOGIN_PORT=$((PORT + 3)) DBD_PORT=$((PORT + 4)) NODE_PORT0=$((PORT + 10))

# Debian ships the daemons as NAME-wlm behind alternatives that its (unusable) "emulator" packages take over. Use the
# plain build through private links: a daemon must be CALLED slurmctld/slurmd/slurmstepd, because Slurm decides by its
# own process name what it is (called slurmd-wlm it ignores GRES; called slurmstepd-wlm its steps crash).
BIN=$DIR/bin
link_daemons() {
  mkdir -p "$BIN"; local d p
  for d in slurmctld slurmd slurmstepd; do
    p=$(command -v $d-wlm || command -v $d) || die "$d is not installed: run './test' or '$0 install $DIR' first"
    ln -sfn "$p" "$BIN/$d"
  done
  [ "$REST" != 1 ] || command -v slurmrestd >/dev/null || die "slurmrestd is not installed: run '$0 install $DIR' first"
}

say() { printf '%s\n' "$*" >&2; }
die() { say "slurm-local: $*"; exit 1; }
pid_of() { # NAME: the pid in run/NAME.pid if that process lives and is that daemon (a stale file may name a stranger)
  local f=$RUN/$1.pid p; [ -s "$f" ] && p=$(tr -dc 0-9 <"$f") && tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q "${1%%.*}" && echo "$p"
}
wait_for() { # wait_for SECONDS WHAT CMD...
  local n=$(( $1 * 10 )) what=$2; shift 2
  while ! "$@" >/dev/null 2>&1; do n=$((n - 1)); [ $n -gt 0 ] || die "timed out: $what (logs: $LOG)"; sleep 0.1; done
}

write_config() {
  mkdir -p "$ETC" "$RUN" "$LOG" "$STATE/ctld" "$STATE/spool" "$DEV" "$DIR/jobs"
  chmod 755 "$DIR" "$ETC" "$RUN" "$DEV"; chmod 1777 "$DIR/jobs"

  # --- munge: a private key and socket, so that the system munge (if any) is left alone
  [ -s "$ETC/munge.key" ] || (umask 077; head -c 128 /dev/urandom >"$ETC/munge.key")
  chmod 600 "$ETC/munge.key"
  # --- JWT key: slurmctld signs tokens with it; auth_jwt.so is in a Debian package of its own
  local jwt=""
  [ "$REST" = 1 ] && jwt="AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$STATE/ctld/jwt_hs256.key"
  [ -s "$STATE/ctld/jwt_hs256.key" ] || (umask 077; head -c 32 /dev/urandom >"$STATE/ctld/jwt_hs256.key")
  chmod 600 "$STATE/ctld/jwt_hs256.key"

  # --- dummy devices: gres/gpu wants character devices; without ConstrainDevices nothing opens them.
  # The trailing number of the file becomes CUDA_VISIBLE_DEVICES. 1:3 is /dev/null.
  local i; for i in $(seq 0 $((GPUS - 1))); do
    [ -c "$DEV/gpu$i" ] || mknod -m 666 "$DEV/gpu$i" c 1 3 2>/dev/null || ln -sfn /dev/null "$DEV/gpu$i"
  done

  local accounting="AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$LOG/jobcomp.log"
  [ "$ACCT" = 0 ] || accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$RUN/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits,qos"
  (umask 077; cat >"$ETC/slurmdbd.conf" <<X
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$DBD_PORT
CommunicationParameters=NoInAddrAny
SlurmUser=root
PidFile=$RUN/slurmdbd.pid
LogFile=$LOG/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
StoragePort=0
X
  )
  cat >"$SLURM_CONF" <<X
# Written by slurm-local.sh: one machine, $NODES slurmd, $GPUS pretended devices each
ClusterName=local
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$CTLD_PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.sock,cred_expire=10
CredType=cred/munge
$jwt
# loopback only: bind to the addresses given here and not to every interface
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/spool/%n
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd.%n.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
# no cgroup, no PAM, no affinity: works in containers and micro-VMs
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobAcctGatherFrequency=0
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
# nodes claim more CPUs and memory than this machine has
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
DefMemPerCPU=256
SchedulerType=sched/backfill
SchedulerParameters=$SCHEDULER
MaxJobCount=50000
MaxArraySize=20001
MinJobAge=$MIN_JOB_AGE
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=5
CompleteWait=0
InactiveLimit=0
Waittime=0
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
$accounting
$EXTRA
X
  for i in $(seq 1 "$NODES"); do
    echo "NodeName=n$i NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((NODE_PORT0 + i)) CPUs=$CPUS Sockets=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEM Gres=gpu:$GPU_TYPE:$GPUS State=UNKNOWN" >>"$SLURM_CONF"
  done
  cat >>"$SLURM_CONF" <<X
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=100 PreemptMode=OFF State=UP
X
  {
    echo "AutoDetect=off"
    for i in $(seq 1 "$NODES"); do
      if [ "$GPUS" = 1 ]; then echo "NodeName=n$i Name=gpu Type=$GPU_TYPE File=$DEV/gpu0"
      else echo "NodeName=n$i Name=gpu Type=$GPU_TYPE File=$DEV/gpu[0-$((GPUS - 1))]"; fi
    done
  } >"$ETC/gres.conf"
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n' >"$ETC/cgroup.conf"
}

start_accounting() {
  command -v slurmdbd >/dev/null && command -v mariadbd >/dev/null || die "slurmdbd or MariaDB is not installed: run './test' or '$0 install $DIR' first"
  local sock=$RUN/mysql.sock db=$STATE/db client="mariadb --no-defaults --socket=$RUN/mysql.sock"
  if [ ! -d "$db/mysql" ]; then
    mkdir -p "$db"; chown mysql "$db"
    mariadb-install-db --no-defaults --user=mysql --datadir="$db" --skip-test-db --auth-root-authentication-method=socket >"$LOG/mariadb.log" 2>&1
  fi
  if [ -z "$(pid_of mariadbd)" ]; then
    chmod 1777 "$RUN"
    setsid mariadbd --no-defaults --user=mysql --datadir="$db" --socket="$sock" --pid-file="$RUN/mariadbd.pid" --skip-networking \
      --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=2 >>"$LOG/mariadb.log" 2>&1 </dev/null &
  fi
  wait_for 60 MariaDB $client -e 'SELECT 1'
  $client -e "CREATE DATABASE IF NOT EXISTS slurm_acct; CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct.* TO 'slurm'@'localhost';"
  # slurmdbd has no setting for the socket: its client library takes it from there.
  [ -n "$(pid_of slurmdbd)" ] || (cd "$RUN" && MYSQL_UNIX_PORT=$sock slurmdbd)
  wait_for 60 slurmdbd sacctmgr -n list cluster
  if ! sacctmgr -n list account format=account | grep -qw puces; then
    sacctmgr -i add cluster local >/dev/null
    sacctmgr -i add account puces Description=puces Organization=puces >/dev/null
    sacctmgr -i add user "$(id -un)" Account=puces DefaultAccount=puces >/dev/null || true
  fi
}

start_node() { # one slurmd per node name; -N needs a build with --enable-multiple-slurmd (Debian has it)
  local n=$1
  [ -n "$(pid_of "slurmd.$n")" ] && return 0
  mkdir -p "$STATE/spool/$n"
  # With mounts of its own, so that cut can take the shared folder from this node alone.
  unshare --mount --propagation private "$BIN/slurmd" -N "$n" -f "$SLURM_CONF" -d "$BIN/slurmstepd"
}

start_controller() {
  [ -n "$(pid_of slurmctld)" ] || "$BIN/slurmctld" -f "$SLURM_CONF"
  wait_for 30 "slurmctld" bash -c 'scontrol ping | grep -q UP'
}

up() {
  link_daemons
  write_config
  if [ -z "$(pid_of munged)" ]; then
    rm -f "$RUN"/munge.sock*
    munged --force --key-file="$ETC/munge.key" --socket="$RUN/munge.sock" --pid-file="$RUN/munged.pid" --log-file="$LOG/munged.log" --seed-file="$STATE/munge.seed" --num-threads=4
  fi
  wait_for 10 munged munge --socket="$RUN/munge.sock" -n
  [ "$ACCT" = 0 ] || start_accounting
  start_controller
  local i; for i in $(seq 1 "$NODES"); do start_node "n$i"; done
  if [ "$REST" = 1 ] && [ -z "$(pid_of slurmrestd)" ]; then
    # slurmrestd refuses to run as root or as SlurmUser: run it as nobody
    # (the database plugins abort when there is no slurmdbd)
    local plug; plug=$(setpriv --reuid=65534 --regid=65534 --clear-groups slurmrestd -s list 2>&1 | grep -oE 'openapi/[a-z0-9.]+' | grep -v '/.*db'  | sort -u | paste -sd, -)
    setsid setpriv --reuid=65534 --regid=65534 --clear-groups env SLURM_CONF="$SLURM_CONF" SLURM_JWT=daemon \
      slurmrestd -a rest_auth/jwt -s "$plug" "127.0.0.1:$REST_PORT" >"$LOG/slurmrestd.log" 2>&1 </dev/null &
    echo $! >"$RUN/slurmrestd.pid"
    wait_for 15 slurmrestd bash -c "exec 3<>/dev/tcp/127.0.0.1/$REST_PORT"
  fi
  check
}

token() { scontrol token lifespan="${LIFESPAN:-86400}" | sed 's/^SLURM_JWT=//'; }
rest_get() { curl -s -m 10 -H "X-SLURM-USER-NAME: $(id -un)" -H "X-SLURM-USER-TOKEN: $(token)" "http://127.0.0.1:$REST_PORT$1"; }
rest_version() { rest_get /openapi/v3 | tr -d '\\\\' | grep -oE '/slurm/v[0-9.]+/ping' | sort -V | tail -n 1 | cut -d/ -f3; } # 22.05 -> v0.0.38

check() {
  scontrol ping | grep -q 'is UP' || die "slurmctld does not answer"
  wait_for 30 "all $NODES nodes IDLE/MIXED/ALLOCATED" bash -c "[ \$(sinfo -hN -p batch -t idle,mix,alloc -o %N | sort -u | wc -l) = $NODES ]"
  local out; out=$(cd "$DIR/jobs" && srun -Q --immediate=20 -N1 -n1 --gres=gpu:1 -t1 sh -c 'echo $CUDA_VISIBLE_DEVICES') || die "GPU smoke job failed"
  [ -n "$out" ] || die "the smoke job saw no CUDA_VISIBLE_DEVICES"
  if [ -n "$(pid_of slurmrestd)" ]; then
    rest_get "/slurm/$(rest_version)/ping" | grep -q '"pings\?"' || die "slurmrestd does not answer /ping"
  fi
  say "healthy: $(sinfo -V), $NODES nodes x $GPUS GPUs"
}

stop_pid() { # NAME: TERM, wait 10 s, KILL
  local p n=100; p=$(pid_of "$1") || true; [ -n "$p" ] || return 0
  kill "$p" 2>/dev/null || true
  while kill -0 "$p" 2>/dev/null; do n=$((n - 1)); [ $n -gt 0 ] || { kill -9 "$p" 2>/dev/null || true; break; }; sleep 0.1; done
  rm -f "$RUN/$1.pid"
}

down() {
  [ -d "$RUN" ] || return 0
  if [ -s "$RUN/slurmctld.pid" ] && scontrol ping 2>/dev/null | grep -q UP; then
    scancel --state=RUNNING,PENDING,SUSPENDED -u "$(id -un)" 2>/dev/null || true
    local n=50; while [ -n "$(squeue -h -t R,CG 2>/dev/null)" ] && [ $n -gt 0 ]; do n=$((n - 1)); sleep 0.2; done
  fi
  stop_pid slurmrestd
  local f p; for f in "$RUN"/slurmd.*.pid; do # TERM to all first: each slurmd takes about 2 s to leave
    p=$(pid_of "$(basename "$f" .pid)") && kill "$p" 2>/dev/null || true
  done
  for f in "$RUN"/slurmd.*.pid; do [ -e "$f" ] && stop_pid "$(basename "$f" .pid)"; done
  stop_pid slurmctld; stop_pid slurmdbd; stop_pid mariadbd; stop_pid munged; stop_pid sshd
}

login() { # a login node: sshd of this user, which gives its logins Slurm's commands
  local ssh=$ETC/ssh
  mkdir -p "$ssh" /run/sshd
  [ -f "$ssh/key" ] || { ssh-keygen -q -t ed25519 -N '' -f "$ssh/key"; ssh-keygen -q -t ed25519 -N '' -f "$ssh/host"; }
  cat >"$ssh/sshd_config" <<X
ListenAddress 127.0.0.1:$LOGIN_PORT
HostKey $ssh/host
PidFile $RUN/sshd.pid
AuthorizedKeysFile $ssh/key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv SLURM_CONF=$SLURM_CONF
X
  [ -n "$(pid_of sshd)" ] || /usr/sbin/sshd -f "$ssh/sshd_config" -E "$LOG/sshd.log"
  wait_for 10 sshd bash -c "exec 3<>/dev/tcp/127.0.0.1/$LOGIN_PORT"
}

case $CMD in
  install) exec "$HERE/install.sh" slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge slurmrestd slurm-wlm-jwt-plugin curl slurmdbd slurm-wlm-mysql-plugin mariadb-server ;;
  up) up ;;
  env)
    echo "export SLURM_CONF=$SLURM_CONF"
    [ -z "$(pid_of slurmrestd)" ] || echo "export SLURM_REST_URL=http://127.0.0.1:$REST_PORT/slurm/$(rest_version)" ;;
  token) token ;;
  kill-controller) p=$(pid_of slurmctld) || die 'slurmctld does not run'; kill -9 "$p"; rm -f "$RUN/slurmctld.pid" ;;
  start-controller) start_controller ;;
  cut) p=$(pid_of "slurmd.$3") || die "slurmd of $3 does not run"; nsenter --mount --target "$p" mount -t tmpfs cut "$4"; kill -STOP "$p" ;;
  mend) p=$(pid_of "slurmd.$3") || die "slurmd of $3 does not run"; nsenter --mount --target "$p" umount "$4"; kill -CONT "$p" ;;
  login) login ;;
  drop) p=$(pid_of sshd) || die 'there is no login node'; pkill -KILL -P "$p" || true ;;
  down) down ;;
  *) usage ;;
esac
