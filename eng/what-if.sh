#!/bin/bash
# Predicts the mean wait with more and with fewer nodes on five recorded clusters, checks it, and puts it into bench/results/what-if.txt.
#   eng/what-if.sh FOLDER [PUCES]      where itp_cluster*.csv.gz lie, and the program if it is not ./puces
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
folder=${1:?the folder with itp_cluster*.csv.gz}
puces=${2:-./puces}
result=$PWD/bench/results/what-if.txt
seen=$(mktemp -d)
trap 'rm -rf "$seen"' EXIT

cluster() { # a trace and the nodes, of eight devices each, that there are
  for change in 8 4 2 1 -1 -2 -4 -8; do
    (($2 + change > 0)) || continue
    if ((change > 0)); then option=--add; else option=--remove; fi
    line=$($puces replay "$folder/itp_cluster$1.csv.gz" --nodes "$2x8" --policy puces "$option" "${change#-}x8" 2>&1 | tail -n 1)
    printf '%-5s %5d %+10d   %s\n' "itp$1" "$2" $((8 * change)) "${line#*mean wait of }"
  done >"$seen/$1"
}

cluster 02 16 & cluster 03 24 & cluster 05 2 & cluster 07 40 & cluster 08 12 &
wait
{
  echo "puces replay with --add and --remove on Microsoft ITP (2021): the mean wait to expect with these nodes, and how far the change that the first half"
  echo "of the time foretold for the second half was off"
  echo
  echo "command   eng/what-if.sh FOLDER: for each pool and change, puces replay itp_clusterNN.csv.gz --nodes Nx8 --policy puces --add Kx8 (or --remove)"
  echo "date      $(date -u +%F)"
  echo
  echo "TRACE NODES    DEVICES   EXPECTED MEAN WAIT, ERROR"
  cat "$seen"/[0-9]*
} >"$seen/all"
cp "$seen/all" "$result"
