#!/bin/bash
# Packs the openb mixes with every policy and puts what came of it into bench/results/packing.txt. Takes some minutes.
#   eng/packing.sh FOLDER      where openb2023_*.csv.gz lie
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
folder=${1:?the folder with openb2023_*.csv.gz}
result=$PWD/bench/results/packing.txt
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
{
  echo "puces pack on the openb mixes (Alibaba 2023): what each policy gives out of the GPUs"
  echo
  echo "command   eng/packing.sh FOLDER: for each mix, puces pack openb2023_MIX.csv.gz --nodes-file openb2023_nodes.csv.gz --policy all"
  echo "date      $(date -u +%F)"
  for mix in default cpu050 cpu100 gpushare40 gpushare60 multigpu20 multigpu30 gpuspec10 gpuspec20; do
    printf '\n%s: ' "$mix"
    ./puces pack "$folder/openb2023_$mix.csv.gz" --nodes-file "$folder/openb2023_nodes.csv.gz" --policy all
  done
} >"$seen"
cp "$seen" "$result"
