#!/bin/bash
# Installs Debian packages that are not there yet. Services that they bring are not started.
#   eng/install.sh PACKAGE...      exit code 0: all are there; 1: they could not be installed, and why is said
set -u
say() { printf '%s\n' "$*" >&2; }

missing=()
for package; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
command -v apt-get >/dev/null || { say "not installed, as there is no apt-get here: ${missing[*]}"; exit 1; }
[ "$(id -u)" = 0 ] || { say "not installed, as only root may: ${missing[*]}"; exit 1; }

say "installing from this system's package sources: ${missing[*]}"
# Packages of daemons start them at once. Forbidden for the time of the install, unless somebody has decided about that already.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -o DPkg::Lock::Timeout=300 -q "$@" </dev/null >>"$log" 2>&1; }
log=$(mktemp)
if get install -y --no-install-recommends "${missing[@]}" || { get update && get install -y --no-install-recommends "${missing[@]}"; }; then
  rm -f "$log"
else
  tail -n 15 "$log" >&2
  say "installing failed (all of it: $log)"
  exit 1
fi
