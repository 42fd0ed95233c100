#!/usr/bin/env bash
# Runs every fuzz target for a time each, such as 30s, one after the other. An input that breaks one is kept under
# testdata/fuzz, where go test runs it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

git grep -o --untracked 'func Fuzz[A-Za-z0-9]*' -- 'pkg/*_test.go' 'plugin/*_test.go' | while IFS=: read -r file name; do
	echo "${name#func } of $(dirname "$file")"
	go test -run '^$' -fuzz "^${name#func }\$" -fuzztime "$1" -fuzzminimizetime 20x "./$(dirname "$file")" </dev/null
done
