// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// size measures the programs as they lie there, and what they do before main.
func (b *bench) size(ctx context.Context) ([]result, error) {
	ours, err := b.initWork(ctx, b.plugin(), "version", "--client")
	if err != nil {
		return nil, err
	}
	peer, err := b.initWork(ctx, b.kubectl(), "version", "--client")
	if err != nil {
		return nil, err
	}
	var sizes [2]float64
	for i, path := range []string{b.plugin(), b.kubectl()} {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		sizes[i] = float64(info.Size()) / 1e6
	}
	costs, err := b.modules(ctx)
	if err != nil {
		return nil, err
	}
	return []result{{
		Title: "size of the program, and its work before main", Ours: filepath.Base(b.plugin()), Peer: filepath.Base(b.kubectl()),
		Again: "make bench ARGS='-only size'",
		Rows: []row{
			compared("binary", "MB", sizes[0], sizes[1]),
			compared("packages with init work", "", ours.packages, peer.packages),
			compared("init allocations", "", ours.allocations, peer.allocations),
			compared("init memory", "kB", ours.bytes/1e3, peer.bytes/1e3),
			compared("init time", "ms", ours.ms, peer.ms),
		},
	}, costs}, nil
}

// initWork is what the Go runtime says of the work that packages do when a program starts.
type initWork struct {
	packages, ms, bytes, allocations float64
	of                               map[string]float64 // bytes by package
}

func (b *bench) initWork(ctx context.Context, program string, args ...string) (initWork, error) {
	w := initWork{of: map[string]float64{}}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(b.env(nil), "GODEBUG=inittrace=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return w, fmt.Errorf("%s: %w\n%s", program, err, said.String())
	}
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @.*, ([\d.]+) ms clock, (\d+) bytes, (\d+) allocs$`).FindAllStringSubmatch(said.String(), -1) {
		for i, to := range []*float64{&w.ms, &w.bytes, &w.allocations} {
			n, _ := strconv.ParseFloat(m[i+2], 64) // the runtime's own output
			*to += n
			if to == &w.bytes {
				w.of[m[1]] += n
			}
		}
		w.packages++
	}
	return w, nil
}
