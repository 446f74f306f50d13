#!/bin/bash
# The long forms of the tests that kill, with what they saw in tests/results/killed.txt. Takes about an hour.
#   dotnet build -c Release Puces.slnx && eng/killed.sh [NAME...]     NAME, a part of a class or test, such as AgentKilled: only these, added to the file
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
result=$PWD/tests/results/killed.txt
saw=$(mktemp)
trap 'rm -f "$saw" "$saw.log"' EXIT
{
  echo "command   eng/killed.sh${*:+ $*}"
  echo "date      $(date -u +%F)"
  echo "machine   $(nproc) CPUs, shared with other builds, Linux $(uname -r), .NET SDK $(dotnet --version), $(/usr/lib/postgresql/*/bin/postgres --version)"
  echo "commit    $(git rev-parse --short HEAD)"
  echo
} >"$saw"
filter=(--filter-method 'Puces.Tests.Killed.*' --filter-method '*Whenever_the_daemon_is_killed*')
if [ $# -gt 0 ]; then
  filter=()
  for name; do filter+=(--filter-method "*$name*"); done
fi
code=0
PUCES_SOAK=1 PUCES_SOAK_RESULT=$saw env --default-signal=INT dotnet test --no-build -c Release --no-ansi --no-progress "${filter[@]}" | tee "$saw.log" || code=$?
{ grep '^failed ' "$saw.log" || true; echo; } >>"$saw"
mkdir -p tests/results
[ $# -gt 0 ] || printf 'Killed, nothing lost: what the long forms of tests/Puces.Tests/Killed saw.\n\n' >"$result"
cat "$saw" >>"$result"
exit "$code"
