// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// most is how many modules are told of one by one.
const most = 15

// modules says what each dependency adds to the plugin: the code and data of its packages, by the linker's
// symbols, and what they allocate before main. What the linker shares between all is in no module.
func (b *bench) modules(ctx context.Context, work initWork) (result, error) {
	r := result{Title: "what each module costs in the plugin", Ours: "code and data", Again: "make bench ARGS='-only size'"}
	whole := filepath.Join(b.bin, "whole") // with its symbols
	if err := b.build(ctx, b.root, whole, "./cmd/kubectl-vgr"); err != nil {
		return r, err
	}
	of, err := b.owners(ctx)
	if err != nil {
		return r, err
	}
	symbols, err := b.tool(ctx, "tool", "nm", "-size", whole)
	if err != nil {
		return r, err
	}
	sizes, allocated := map[string]float64{}, map[string]float64{}
	for line := range strings.Lines(symbols) {
		// address size kind name; names of functions that take types have blanks.
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.EqualFold(fields[2], "b") { // no bytes of the file
			continue
		}
		size, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return r, fmt.Errorf("go tool nm: %q: %w", line, err)
		}
		sizes[of[packageOf(fields[3])]] += size
	}
	for name, bytes := range work.of {
		allocated[of[name]] += bytes
	}
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) })
	var rest float64
	for i, name := range names {
		if i >= most {
			rest += sizes[name]
			continue
		}
		shown := cmp.Or(name, "(tables of the linker)")
		r.Rows = append(r.Rows, row{Measure: shown, Unit: "MB", Ours: sizes[name] / 1e6})
		if kB := allocated[name] / 1e3; kB >= 1 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s allocates %s kB before main", shown, number(&kB)))
		}
	}
	r.Rows = append(r.Rows, row{Measure: fmt.Sprintf("%d others", max(0, len(names)-most)), Unit: "MB", Ours: rest / 1e6})
	return r, nil
}

// owners are the modules of all packages of the plugin.
func (b *bench) owners(ctx context.Context) (map[string]string, error) {
	text, err := b.tool(ctx, "list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{else}}(standard library){{end}}", "./cmd/kubectl-vgr")
	if err != nil {
		return nil, err
	}
	of := map[string]string{"main": "github.com/unified-replication/kubectl-vgr"}
	for line := range strings.Lines(text) {
		if name, module, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			of[name] = module
		}
	}
	return of, nil
}

func (b *bench) tool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return string(text), nil
}

// packageOf is the import path in a symbol's name, such as type:.eq.example.com/a/b.T or example.com/a/b.(*T).Do.
func packageOf(symbol string) string {
	for _, prefix := range []string{"type:.eq.", "type:.hash.", "type:", "go:itab.", "go:"} {
		symbol = strings.TrimPrefix(symbol, prefix)
	}
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments have paths of their own
	symbol = strings.TrimLeft(symbol, "*")
	path, name := "", symbol
	if i := strings.LastIndexByte(symbol, '/'); i >= 0 {
		path, name = symbol[:i+1], symbol[i+1:]
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ReplaceAll(path+name, "%2e", ".")
}
