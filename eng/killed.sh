#!/bin/bash
# The long forms of the tests that kill, one after another, with what they saw in tests/results/killed.txt. Takes about 20 minutes.
#   dotnet build -c Release Puces.slnx && eng/killed.sh
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
result=$PWD/tests/results/killed.txt
mkdir -p tests/results
{
  echo 'Killed, nothing lost: what the long forms of tests/Puces.Tests/Killed saw.'
  echo
  echo 'command   eng/killed.sh'
  echo "date      $(date -u +%F)"
  echo "machine   $(nproc) CPUs, Linux $(uname -r), .NET $(dotnet --version), $(postgres --version 2>/dev/null || /usr/lib/postgresql/*/bin/postgres --version)"
  echo "commit    $(git rev-parse --short HEAD)"
  echo
} >"$result.new"
PUCES_SOAK=1 PUCES_SOAK_RESULT=$result.new dotnet test --no-build -c Release --no-ansi --no-progress --parallel none --filter-namespace Puces.Tests.Killed
mv "$result.new" "$result"
