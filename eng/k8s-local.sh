#!/bin/bash
# A real Kubernetes on this machine, for tests: API server, controllers, scheduler and one kubelet with containerd, all of it in one folder and
# on loopback. Pods are real containers on a network of their own; devices are pretended, as a device plug-in would advertise them.
#
#   k8s-local.sh up     DIR                start, and wait until the node is ready; DIR/admin.kubeconfig is the way in
#   k8s-local.sh image  DIR TAR NAME       load a root file system as an image (imagePullPolicy: Never finds it)
#   k8s-local.sh base   DIR NAME           an image with this machine's own shell and coreutils, and the libraries that they need
#   k8s-local.sh stop   DIR apiserver      kill -9 one of etcd, apiserver, controllers, scheduler, containerd, kubelet
#   k8s-local.sh apiserver DIR             start the API server again, and wait until it answers
#   k8s-local.sh down   DIR                end all of it, pods included, also what a killed run has left; the files stay
#
# Variables and their defaults: PORT=16400 (up to PORT+9)   NODE=node-1
#   PROGRAMS=the folder that eng/k8s-build.sh prints
set -euo pipefail

here=$(cd -- "$(dirname -- "$0")" && pwd)
usage() { sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
[ $# -ge 2 ] || usage
command=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd -P)
shift 2
# A unix socket path is limited to 107 bytes.
[ ${#dir} -le 60 ] || { echo "DIR is too long (${#dir} > 60 characters): unix sockets would not fit" >&2; exit 2; }

# What "up" was told counts for all that follows.
[ ! -s "$dir/settings" ] || . "$dir/settings"
port=${port:-${PORT:-16400}} node=${node:-${NODE:-node-1}} programs=${programs:-${PROGRAMS:-$("$here/k8s-build.sh" where)}}
run=$dir/run log=$dir/log pki=$dir/pki cri=$dir/cri
# Several clusters stand side by side: names and networks go by the port.
slot=$((port / 10 % 200)) link=k8sn$port bridge=k8sb$port
address=10.213.$slot.1 pods=10.214.$slot.0/24 group=/puces-k8s-$port

say() { printf '%s\n' "$*" >&2; }
die() { say "k8s-local: $*"; exit 1; }
api() { # PATH [CURL-OPTION...]
  local path=$1; shift
  curl -sf --max-time 10 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "$@" "https://127.0.0.1:$port$path"
}
wait_for() { # SECONDS WHAT COMMAND...
  local left=$(($1 * 5)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ] || { tail -n 5 "$log"/*.log >&2; die "timed out: $what (logs: $log)"; }; sleep 0.2; done
}
pid_of() { # NAME: its process id, if that process lives and is of this folder (a stale file may name a stranger)
  local file=$run/$1.pid pid
  [ -s "$file" ] && pid=$(cat "$file") && grep -qsF "$dir" "/proc/$pid/cmdline" && echo "$pid"
}
start() { # NAME PROGRAM...
  local name=$1; shift
  [ -z "$(pid_of "$name")" ] || return 0
  setsid "$@" >>"$log/$name.log" 2>&1 </dev/null &
  echo $! >"$run/$name.pid"
}
stop() { # NAME [SIGNAL]
  local pid
  pid=$(pid_of "$1") || return 0
  kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  for _ in $(seq 50); do [ -n "$(pid_of "$1")" ] || return 0; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
}

make_keys() {
  [ ! -s "$pki/done" ] || return 0
  mkdir -p "$pki"
  local name names="subjectAltName=IP:127.0.0.1,DNS:localhost,IP:10.96.0.1,IP:$address"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$pki/ca.key" -out "$pki/ca.crt" -subj /CN=puces-test -days 30 2>/dev/null
  openssl genrsa -out "$pki/accounts.key" 2048 2>/dev/null
  key() { # NAME SUBJECT
    openssl req -newkey rsa:2048 -nodes -keyout "$pki/$1.key" -out "$pki/$1.csr" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -out "$pki/$1.crt" -days 30 -extfile <(echo "$names") 2>/dev/null
    cat >"$dir/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $pki/$1.crt, client-key: $pki/$1.key}}]
contexts: [{name: local, context: {cluster: local, user: $1}}]
current-context: local
YAML
  }
  key apiserver /CN=kube-apiserver
  key admin /O=system:masters/CN=admin
  key controllers /CN=system:kube-controller-manager
  key scheduler /CN=system:kube-scheduler
  key node "/O=system:nodes/CN=system:node:$node"
  # Somebody who may do nothing.
  key stranger /CN=stranger
  echo yes >"$pki/done"
}

start_apiserver() {
  start apiserver "$programs/kube-apiserver" --etcd-servers="http://127.0.0.1:$((port + 3))" --bind-address=127.0.0.1 --secure-port="$port" \
    --advertise-address=127.0.0.1 --service-cluster-ip-range=10.96.0.0/16 --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --client-ca-file="$pki/ca.crt" --service-account-key-file="$pki/accounts.key" --service-account-signing-key-file="$pki/accounts.key" \
    --service-account-issuer=https://kubernetes.default.svc --api-audiences=api --authorization-mode=Node,RBAC --allow-privileged=true \
    --endpoint-reconciler-type=none --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-preferred-address-types=InternalIP
  is_ready() { [ "$(api /readyz)" = ok ]; }
  wait_for 100 'the API server is not ready' is_ready
}

start_control() {
  start etcd etcd --data-dir "$dir/etcd" --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$((port + 3))" \
    --advertise-client-urls "http://127.0.0.1:$((port + 3))" --listen-peer-urls "http://127.0.0.1:$((port + 4))"
  start_apiserver
  # Nodes that a test only says to be there have no kubelet to say that they are well.
  start controllers "$programs/kube-controller-manager" --kubeconfig="$dir/controllers.kubeconfig" --leader-elect=false --port=0 --bind-address=127.0.0.1 \
    --secure-port=$((port + 1)) --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" --use-service-account-credentials=true \
    --node-monitor-grace-period=2h
  start scheduler "$programs/kube-scheduler" --kubeconfig="$dir/scheduler.kubeconfig" --leader-elect=false --port=0 --bind-address=127.0.0.1 --secure-port=$((port + 2))
  wait_for 60 'no service account comes to be' api /api/v1/namespaces/default/serviceaccounts/default
}

start_node() {
  mkdir -p "$cri/cni" "$dir/kubelet"
  ip link show "$link" >/dev/null 2>&1 || {
    ip link add "$link" type dummy 2>/dev/null || ip link add "$link" type bridge
    ip addr add "$address/32" dev "$link"
    ip link set "$link" up
  }
  # A group of its own: a kubelet ends whatever it finds in its group and does not know.
  local hierarchy
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ -e "$hierarchy/cgroup.procs" ]; then mkdir -p "$hierarchy$group"; fi
    if [ -s "$hierarchy/cpuset.cpus" ]; then
      cat "$hierarchy/cpuset.cpus" >"$hierarchy$group/cpuset.cpus"
      cat "$hierarchy/cpuset.mems" >"$hierarchy$group/cpuset.mems"
    fi
  done
  cat >"$cri/config.toml" <<TOML
version = 2
root = "$cri/root"
state = "$cri/state"
[grpc]
  address = "$cri/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$cri/cni"
TOML
  cat >"$cri/cni/10-local.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "local", "plugins": [{"type": "bridge", "bridge": "$bridge", "isGateway": true, "ipMasq": false,
 "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "$cri/ipam"}}]}
JSON
  cat >"$dir/kubelet/config.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
port: 10250
readOnlyPort: 0
healthzPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: $group
failSwapOn: false
enforceNodeAllocatable: []
oomScoreAdj: 0
evictionHard: {"memory.available": "100Mi", "nodefs.available": "1%"}
makeIPTablesUtilChains: false
nodeStatusUpdateFrequency: 5s
YAML
  start containerd containerd -c "$cri/config.toml"
  wait_for 30 'containerd does not answer' ctr -a "$cri/containerd.sock" version
  ctr -a "$cri/containerd.sock" -n k8s.io images ls -q | grep -q '^localhost/pause:1$' || pause_image
  start kubelet "$programs/kubelet" --config="$dir/kubelet/config.yaml" --kubeconfig="$dir/node.kubeconfig" --hostname-override="$node" --node-ip="$address" \
    --root-dir="$dir/kubelet/root" --container-runtime=remote --container-runtime-endpoint="unix://$cri/containerd.sock" \
    --cert-dir="$dir/kubelet/pki" --volume-plugin-dir="$dir/kubelet/plugins"
  # What the API server says of it may be of an earlier life.
  is_node_ready() { curl -sk "https://$address:10250" && api "/api/v1/nodes/$node" | jq -e '.status.conditions[] | select(.type == "Ready") | .status == "True"'; }
  wait_for 90 'the node is not ready' is_node_ready
}

# The form that "docker save" has, made by hand: one layer, one configuration.
image() { # TAR NAME [ENTRYPOINT...]
  local tar=$1 name=$2 work sum
  shift 2
  work=$(mktemp -d -p "$dir")
  cp "$tar" "$work/layer.tar"
  sum=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
  jq -n --arg sum "sha256:$sum" '{architecture: "amd64", os: "linux", rootfs: {type: "layers", diff_ids: [$sum]},
    config: {Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Entrypoint: $ARGS.positional}}' --args "$@" >"$work/config.json"
  jq -n --arg name "$name" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
  tar -C "$work" -cf "$work/image.tar" manifest.json config.json layer.tar
  ctr -a "$cri/containerd.sock" -n k8s.io images import "$work/image.tar" >/dev/null
  rm -rf "$work"
}

base() { # NAME
  local root program library
  root=$(mktemp -d -p "$dir")
  mkdir -p "$root"/{bin,tmp,proc,dev,etc,root}
  for program in sh cat chmod cp date echo env false head hostname id kill ls mkdir mv readlink rm seq sleep stat tail touch true uname wc; do
    cp -L "$(type -P $program)" "$root/bin/"
  done
  # The C library's parts that nothing here names are what a runner may need.
  for library in $({ ldd "$root"/bin/*; ls /lib/*/libm.so.6 /lib/*/libdl.so.2 /lib/*/libpthread.so.0 /lib/*/librt.so.1; } | grep -o '/lib[^ :]*' | sort -u); do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  chmod 1777 "$root/tmp"
  tar -C "$root" -cf "$dir/base.tar" .
  rm -rf "$root"
  image "$dir/base.tar" "$1"
}

# What keeps a pod's namespaces: a program that waits, the only file of its image.
pause_image() {
  mkdir -p "$dir/pause/bin"
  gcc -static -O1 -x c - -o "$dir/pause/bin/pause" <<'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0) { } }
int main(void) { signal(SIGTERM, leave); signal(SIGINT, leave); signal(SIGCHLD, reap); for (;;) pause(); }
C
  tar -C "$dir/pause" -cf "$dir/pause.tar" bin
  image "$dir/pause.tar" localhost/pause:1 /bin/pause
}

down() {
  local name pid task hierarchy
  # The kubelet first: nothing else would stay ended.
  stop kubelet KILL
  for name in scheduler controllers apiserver etcd; do stop $name KILL; done
  stop containerd KILL
  # Pods are below the shims of this folder's containerd, each in a control group of this cluster's.
  for pid in $(grep -lzF "$cri/containerd.sock" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3); do kill -KILL "$pid" 2>/dev/null || true; done
  for _ in $(seq 20); do
    task=$(for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do [ ! -d "$hierarchy$group" ] || find "$hierarchy$group" -name cgroup.procs -exec cat {} +; done 2>/dev/null | sort -u)
    [ -n "$task" ] || break
    for pid in $task; do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 0.1
  done
  for name in "$link" "$bridge"; do ip link del "$name" 2>/dev/null || true; done
  awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount -l || true
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$hierarchy$group" ] || find "$hierarchy$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

case $command in
  up)
    [ -x "$programs/kubelet" ] || die "Kubernetes is not built: run eng/k8s-build.sh"
    mkdir -p "$run" "$log"
    printf '%s=%q\n' port "$port" node "$node" programs "$programs" >"$dir/settings"
    make_keys
    start_control
    start_node ;;
  apiserver) start_apiserver ;;
  image) image "$@" ;;
  base) base "$1" ;;
  stop) stop "$1" KILL ;;
  down) down ;;
  *) usage ;;
esac
