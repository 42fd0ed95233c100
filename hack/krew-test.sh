#!/usr/bin/env bash
# Installs the archive in dist/ with krew, away from everybody's own plugins, and runs it through kubectl. Then it
# upgrades an older version to it from an index, as users will.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
krew=(go tool -modfile=hack/tools/release/go.mod krew)
kubectl=$1

# use has krew and kubectl work with a directory of plugins of its own.
use() {
	export KREW_ROOT=$work/$1 PATH="$work/$1/bin:$kubectl:$PATH"
}

archive=(dist/kubectl-vgr_*.tar.gz)
use alone
"${krew[@]}" install --manifest=dist/vgr.yaml --archive="${archive[0]}" </dev/null
[ "$(command -v kubectl-vgr)" = "$KREW_ROOT/bin/kubectl-vgr" ]
kubectl vgr version --client
kubectl vgr completion install
kubectl __complete vgr fail 2>/dev/null | tee "$work/completed"
grep -q ^failover "$work/completed"

# An older version: its binary says so, and its name sorts before that of any snapshot.
older=v0.0.0-older
(cd hack && go run ./release -root .. -out "$work/older" -version "$older" -date "$(git log -1 --format=%cI)" -platforms "$(go env GOOS)/$(go env GOARCH)" \
	-ldflags "-s -w -X github.com/unified-replication/kubectl-vgr/pkg/version.version=$older")

mkdir -p "$work/serve" "$work/index/plugins" "$work/server"
cat >"$work/server/main.go" <<'GO'
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	panic(http.Serve(l, http.FileServer(http.Dir(os.Args[1]))))
}
GO
go build -o "$work/server/serve" "$work/server/main.go"
"$work/server/serve" "$work/serve" >"$work/address" &
server=$!
until [ -s "$work/address" ]; do sleep 0.1; done

# publish puts a release into the index, and its archive where the index says.
publish() {
	cp "$1"/kubectl-vgr_*.tar.gz "$work/serve/"
	sed "s|uri: .*/|uri: http://$(cat "$work/address")/|" "$1/vgr.yaml" >"$work/index/plugins/vgr.yaml"
	git -C "$work/index" add .
	git -C "$work/index" -c user.name=test -c user.email=test@example.com commit -qm "$1"
}
git -C "$work/index" init -q
publish "$work/older"

use upgraded
"${krew[@]}" index add local "file://$work/index" </dev/null
"${krew[@]}" install local/vgr </dev/null
kubectl vgr version --client | tee "$work/before"
grep -q "$older" "$work/before"
kubectl vgr completion install # its link must work after the upgrade, too
publish dist
"${krew[@]}" upgrade vgr </dev/null
kubectl vgr version --client | tee "$work/after"
cmp <("$work/alone/bin/kubectl-vgr" version --client) "$work/after"
kubectl __complete vgr fail 2>/dev/null | grep -q ^failover
echo "upgraded from $older"
