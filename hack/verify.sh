#!/usr/bin/env bash
# Fails when a checked-in file is not what its source generates. Works on a copy: nothing is changed.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
	[ -e "$f" ] && printf '%s\0' "$f"
done | tar --null -T - -cf - | tar -xf - -C "$copy"

fail=0
stale() {
	echo "stale: $1; run: $2" >&2
	fail=1
}
make -s -C "$copy" generate
for f in pkg/api pkg/manifests docs/reference; do
	diff -ru "$f" "$copy/$f" >&2 || stale "$f" "make generate"
done
for m in "$@"; do
	(cd "$m" && go mod tidy -diff >&2) || stale "$m/go.mod" "(cd $m && go mod tidy)"
	[[ $m == hack/tools* ]] || (cd "$m" && go vet ./...) || fail=1
done
for d in $(git ls-files '*.go' | xargs -n1 dirname | sort -u); do
	grep -lqE '^// (Package|Command) ' "$d"/*.go || stale "$d has no package comment" "an editor"
done
exit $fail
