#!/usr/bin/env bash
# Installs the archive in dist/ with krew, away from everybody's own plugins, and runs it through kubectl.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
krew=(go tool -modfile=hack/tools/release/go.mod krew)
export KREW_ROOT=$root PATH="$root/bin:$1:$PATH"

archive=(dist/kubectl-vgr_*.tar.gz)
"${krew[@]}" install --manifest=dist/vgr.yaml --archive="${archive[0]}" </dev/null
[ "$(command -v kubectl-vgr)" = "$root/bin/kubectl-vgr" ]
kubectl vgr version --client
kubectl vgr completion install
kubectl __complete vgr fail 2>/dev/null | tee "$root/completed"
grep -q ^failover "$root/completed"
