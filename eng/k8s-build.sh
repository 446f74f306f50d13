#!/bin/bash
# Builds Kubernetes' API server, controllers, scheduler and kubelet from Debian 12's own source package (1.20.2: the newest that Debian has
# whole), for tests beside a real cluster. Takes 8 to 15 minutes on two cores, once; later calls find what is there.
#
#   eng/k8s-build.sh         build, unless that is done, and print the folder of the programs
#   eng/k8s-build.sh where   print the folder, built or not
set -euo pipefail
cache=${PUCES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/puces}
out=$cache/kubernetes-1.20.2
[ "${1:-}" != where ] && [ ! -x "$out/kubelet" ] || { echo "$out"; exit 0; }

mkdir -p "$cache"
# Two that build at once would take twice as long; the second finds what the first has made.
exec 9>"$cache/kubernetes.lock"
flock 9
[ ! -x "$out/kubelet" ] || { echo "$out"; exit 0; }

work=$(mktemp -d -p "$cache" building.XXXXXX) log=$cache/kubernetes-build.log
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
build() {
  mkdir -p "$work/sources" "$work/lists/partial" "$work/bin"
  cd "$work"
  # This machine's own Debian sources, asked for source packages, without touching its lists.
  local file name
  for file in /etc/apt/sources.list.d/*.sources; do
    if grep -qs bookworm "$file"; then sed 's/^Types:.*/Types: deb-src/' "$file" >"sources/${file##*/}"; fi
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    name=${file##*/}
    if grep -qs '^deb .*bookworm' "$file"; then sed -n 's/^deb \(.*bookworm\)/deb-src \1/p' "$file" >"sources/${name%.list}.list"; fi
  done
  local apt=(apt-get -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::lists=$work/lists")
  "${apt[@]}" update
  "${apt[@]}" source --download-only kubernetes
  tar xzf kubernetes_*.orig.tar.gz
  # Under Go 1.18 and later the vendored reflect2 1.0.1 reads maps wrongly, and the API server dies at random; Debian's 1.0.2 does not.
  apt-get -q download golang-github-modern-go-reflect2-dev
  dpkg -x golang-github-modern-go-reflect2-dev_*.deb reflect2
  cd kubernetes-1.*/
  rm -f vendor/github.com/modern-go/reflect2/*.{go,s}
  cp "$work"/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} vendor/github.com/modern-go/reflect2/
  mkdir -p .go/src/k8s.io
  ln -sfn ../../.. .go/src/k8s.io/kubernetes
  GOPATH=$PWD/.go GOCACHE=$work/gocache CGO_ENABLED=0 GOPROXY=off HOME=$work \
    make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet"
  cp _output/local/bin/linux/*/kube{-apiserver,-controller-manager,-scheduler,let} "$work/bin"
}
# Not as a condition: in one, a step that fails would not end it.
build >"$log" 2>&1 </dev/null &
if ! wait $!; then
  tail -n 5 "$log" >&2
  echo "building Kubernetes failed (all of it: $log)" >&2
  exit 1
fi
mv -T "$work/bin" "$out"
echo "$out"
