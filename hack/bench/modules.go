// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// most is how many modules are told of one by one.
const most = 15

// modules says what each dependency adds to the plugin: the code and data of its packages, by the linker's
// symbols, and what they allocate before main. Types and the tables of functions are shared; they are in no module.
func (b *bench) modules(ctx context.Context) (result, error) {
	r := result{Title: "what each module costs in the plugin", Ours: "code and data", Again: "make bench ARGS='-only size'"}
	whole := filepath.Join(b.bin, "whole") // with its symbols
	if err := b.build(ctx, b.root, whole, "./cmd/kubectl-vgr"); err != nil {
		return r, err
	}
	of, err := b.owners(ctx)
	if err != nil {
		return r, err
	}
	sizes, err := sizesOf(whole, of)
	if err != nil {
		return r, err
	}
	info, err := os.Stat(filepath.Join(b.bin, "kubectl-vgr")) // the same program, without its symbols
	if err != nil {
		return r, err
	}
	known := float64(0)
	for name, bytes := range sizes {
		if name != "" {
			known += bytes
		}
	}
	sizes[""] = float64(info.Size()) - known
	work, err := b.initWork(ctx, whole, "version", "--client")
	if err != nil {
		return r, err
	}
	allocated := map[string]float64{}
	for name, bytes := range work.of {
		allocated[of[name]] += bytes
	}
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) })
	tell := func(what string, size, allocated float64) {
		kB := allocated / 1e3
		r.Rows = append(r.Rows, row{Measure: what, Unit: "MB", Ours: size / 1e6})
		r.Notes = append(r.Notes, fmt.Sprintf("%s: %s kB before main", what, number(&kB)))
	}
	var rest, restAllocated float64
	for i, name := range names {
		if i < most {
			tell(cmp.Or(name, "(types and tables of the linker)"), sizes[name], allocated[name])
			continue
		}
		rest, restAllocated = rest+sizes[name], restAllocated+allocated[name]
	}
	tell(fmt.Sprintf("%d others", max(0, len(names)-most)), rest, restAllocated)
	return r, nil
}

// sizesOf returns the bytes of each module's functions and data in a program.
func sizesOf(file string, of map[string]string) (map[string]float64, error) {
	program, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	symbols, err := program.Symbols()
	if err != nil {
		return nil, err
	}
	sizes := map[string]float64{}
	for _, s := range symbols {
		i := int(s.Section)
		if i >= len(program.Sections) || program.Sections[i].Type == elf.SHT_NOBITS || !slices.Contains([]elf.SymType{elf.STT_FUNC, elf.STT_OBJECT}, elf.ST_TYPE(s.Info)) {
			continue // it takes no room in the file
		}
		sizes[of[packageOf(s.Name)]] += float64(s.Size)
	}
	return sizes, nil
}

// owners returns the modules of all packages of the plugin.
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

// packageOf returns the import path in a symbol's name, such as type:.eq.example.com/a/b.T or example.com/a/b.(*T).Do.
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
