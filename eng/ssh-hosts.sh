#!/bin/bash
# Machines for trials of ssh pools, on one machine: each a network namespace with its own address, host name, processes, home and real sshd.
#   eng/ssh-hosts.sh up DIR N [SUBNET]   starts h1 to hN at 10.SUBNET.0.11 and on, and "inner", which is reached through h1 alone
#   eng/ssh-hosts.sh cut DIR HOST        takes it off the network, as a pulled cable does; mend DIR HOST puts it back
#   eng/ssh-hosts.sh crash DIR HOST      ends it and all that runs on it at once; boot DIR HOST starts it again
#   eng/ssh-hosts.sh rekey DIR HOST      gives it another host key, as a new installation would
#   eng/ssh-hosts.sh down DIR            ends all
# Logs in as user puces-host with DIR/key; DIR/hosts has a line for each: name, address. On each, DIR/HOST/small is a file system that
# holds 1 MB. Needs root, openssh-server and iproute2.
set -euo pipefail
usage() { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
[ $# -ge 2 ] || usage
command=$1 user=puces-host
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
die() { printf 'ssh-hosts: %s\n' "$*" >&2; exit 1; }

# Names of network devices have at most 15 characters, and are the machine's.
net() { cat "$dir/net"; }
space() { printf 'puces%s-%s' "$(net)" "$1"; }
inside() { ip netns exec "$(space "$1")" "${@:2}"; }

make_user() {
  id $user >/dev/null 2>&1 || useradd --create-home --shell /bin/sh --password '*' $user
  mkdir -p /run/sshd
}

boot() { # HOST
  local host=$1 home=$dir/$1
  mkdir -p "$home/home" "$home/etc" "$home/small"
  chown $user: "$home/home"
  [ -f "$home/etc/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$home/etc/key"
  cat >"$home/etc/sshd_config" <<EOF
Port 22
HostKey $home/etc/key
PidFile none
AuthorizedKeysFile $dir/key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
MaxSessions 200
UseDNS no
PrintMotd no
EOF
  setsid ip netns exec "$(space "$host")" unshare --mount --uts --pid --fork --kill-child --mount-proc \
    sh -c 'hostname "$1"; mount --bind "$2" /home/'$user'; mount -t tmpfs -o size=1m,mode=1777 small "$4"; exec /usr/sbin/sshd -D -e -f "$3"' sh "$host" "$home/home" "$home/etc/sshd_config" "$home/small" \
    >>"$home/log" 2>&1 </dev/null &
  echo $! >"$home/pid"
  local tries=100
  until inside "$host" ss -Hltn 'sport = :22' | grep -q . || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
  [ $tries -gt 0 ] || die "sshd of $host does not start: $(tail -n 3 "$home/log")"
}

crash() { # HOST
  local pid
  pid=$(cat "$dir/$1/pid" 2>/dev/null) || return 0
  # ip netns exec becomes unshare, whose end is that of all below it.
  kill -KILL "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

wire() { # HOST ADDRESS: a cable from the machine's own bridge
  local tag=p$(net)$1
  ip netns add "$(space "$1")"
  ip link add "$tag" type veth peer name eth0 netns "$(space "$1")"
  ip link set "$tag" master "pb$(net)" up
  inside "$1" ip address add "$2/24" dev eth0
  inside "$1" ip link set lo up
  inside "$1" ip link set eth0 up
  printf '%s %s\n' "$1" "$2" >>"$dir/hosts"
}

up() {
  local count=${1:?how many hosts} subnet=${2:-$((RANDOM % 200 + 20))} i
  [ ! -e "$dir/net" ] || die "$dir has hosts already: $0 down $dir"
  make_user
  while ip link show "pb$subnet" >/dev/null 2>&1; do subnet=$((subnet % 200 + 21)); done
  printf '%s' "$subnet" >"$dir/net"
  : >"$dir/hosts"
  [ -f "$dir/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
  chmod 755 "$dir"
  ip link add "pb$subnet" type bridge
  ip address add "10.$subnet.0.1/24" dev "pb$subnet"
  ip link set "pb$subnet" up
  for i in $(seq "$count"); do wire "h$i" "10.$subnet.0.$((10 + i))" && boot "h$i"; done
  # A host of a network that only h1 is in.
  ip netns add "$(space inner)"
  ip link add eth1 netns "$(space h1)" type veth peer name eth0 netns "$(space inner)"
  inside h1 ip address add "10.$subnet.1.1/24" dev eth1
  inside h1 ip link set eth1 up
  inside inner ip address add "10.$subnet.1.2/24" dev eth0
  inside inner ip link set lo up
  inside inner ip link set eth0 up
  printf 'inner 10.%s.1.2\n' "$subnet" >>"$dir/hosts"
  boot inner
}

down() {
  [ -f "$dir/net" ] || return 0
  local host
  while read -r host _; do
    crash "$host"
    ip netns delete "$(space "$host")" 2>/dev/null || true
  done <"$dir/hosts"
  ip link delete "pb$(net)" 2>/dev/null || true
  rm -f "$dir/net" "$dir/hosts"
}

case $command in
  up) up "$@" ;;
  down) down ;;
  boot) boot "$1" ;;
  crash) crash "$1" ;;
  cut) inside "$1" ip link set eth0 down ;;
  mend) inside "$1" ip link set eth0 up ;;
  rekey) crash "$1"; rm -f "$dir/$1/etc/key"*; boot "$1" ;;
  *) usage ;;
esac
