// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"golang.org/x/sync/errgroup"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

const moving = "moving"

// failover moves one group and many, there and back: with the plugin, and with a shell script of kubectl
// commands. The storage and csi-addons are the same, and most of the time is theirs.
func (b *bench) failover(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	made := 0
	for _, n := range []int{1, b.moved} {
		if n <= made {
			continue
		}
		names, err := b.pairs(ctx, l, sites, made, n)
		if err != nil {
			return results, err
		}
		made = n
		r, err := b.move(ctx, l, names)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

// pairs makes groups from one number to another, with their peers, and returns the names of all so far.
func (b *bench) pairs(ctx context.Context, l *lab.Lab, sites load.Sites, from, to int) ([]string, error) {
	apps := load.Applications{Namespace: moving, Volumes: 1, StorageClass: lab.FastStorageClass}
	if err := apps.Make(ctx, sites[0], from, to); err != nil {
		return nil, err
	}
	if err := load.Namespace(ctx, sites[1], moving); err != nil {
		return nil, err
	}
	if from == 0 {
		// On Ceph each move would wait up to two minutes for a synchronisation that proves something.
		class := []string{"class", "create", "moving", "--provisioner", driver.FastName, "--parameter", "backend=csi-addons", "--parameter", "schedulingInterval=10s", "--yes"}
		if err := b.run(ctx, l, class...); err != nil {
			return nil, err
		}
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	var names []string
	for n := range to {
		names = append(names, apps.Name(n))
		if n >= from {
			work.Go(func() error {
				return b.run(ctx, l, "create", apps.Name(n), "-n", moving, "--class", "moving", "-l", "app="+apps.Name(n), "--yes")
			})
		}
	}
	return names, work.Wait()
}

// run runs the plugin.
func (b *bench) run(ctx context.Context, l *lab.Lab, args ...string) error {
	_, err := b.output(ctx, l, args...)
	return err
}

func (b *bench) output(ctx context.Context, l *lab.Lab, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.plugin(), args...)
	cmd.Env = b.env(l)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("kubectl vgr %v: %w\n%s", args, err, said.String())
	}
	return out, nil
}

// move measures both ways of moving the groups: ours to the west, the script's back to the east, in turn.
func (b *bench) move(ctx context.Context, l *lab.Lab, names []string) (result, error) {
	ours := command{path: b.plugin(), args: append([]string{"failover", "-n", moving, "--to", lab.West, "--yes"}, names...)}
	script, err := filepath.Abs(filepath.Join(b.root, "hack", "bench", "failover.sh"))
	if err != nil {
		return result{}, err
	}
	peer := command{path: script, args: append([]string{moving, lab.West, lab.East}, names...)}
	r, err := b.compare(ctx, l, comparison{
		title: fmt.Sprintf("planned failover of %d groups", len(names)), again: fmt.Sprintf("make bench ARGS='-only failover -moved %d'", len(names)),
		ours: ours, peer: peer,
		notes: []string{
			"ours also checks both sites, takes Leases, compares members, and writes a journal to both; the script does none of it",
			"CPU and memory of the script are those of its largest part and of all its children",
		},
	})
	if err != nil {
		return r, err
	}
	r.Ours, r.Peer = "kubectl-vgr failover --to west --yes GROUP…", "hack/bench/failover.sh west east GROUP…"
	last, err := b.slowest(ctx, l, names)
	if err != nil {
		return r, err
	}
	var backend time.Duration
	var steps []string
	for _, step := range last.Steps {
		if step.Finished == nil {
			continue
		}
		spent := step.Finished.Sub(step.Started.Time)
		steps = append(steps, fmt.Sprintf("%s %.1f s", step.ID, spent.Seconds()))
		if slices.Contains([]recovery.StepID{recovery.StepVerify, recovery.StepDemote, recovery.StepSync, recovery.StepPromote}, step.ID) {
			backend += spent
		}
	}
	r.Notes = append(r.Notes, fmt.Sprintf("the group that took longest in the last run, by its journal: %.1f s of %.1f s for the controllers and the storage (%s)",
		backend.Seconds(), took(last).Seconds(), strings.Join(steps, ", ")))
	return r, nil
}

// slowest returns the last operation of the group that took longest, by its own journal.
func (b *bench) slowest(ctx context.Context, l *lab.Lab, names []string) (recovery.Operation, error) {
	var last recovery.Operation
	for _, name := range names {
		out, err := b.output(ctx, l, "history", name, "-n", moving, "-o", "json")
		if err != nil {
			return last, err
		}
		var h struct {
			Operations []recovery.Operation `json:"operations"`
		}
		if err := json.Unmarshal(out, &h); err != nil {
			return last, err
		}
		if len(h.Operations) == 0 || took(h.Operations[0]) == 0 {
			return last, fmt.Errorf("%s has no operation that has ended", name)
		}
		if op := h.Operations[0]; took(op) > took(last) {
			last = op
		}
	}
	return last, nil
}

// took returns how long an operation was under way; zero unless it has ended.
func took(op recovery.Operation) time.Duration {
	if n := len(op.Steps); n > 0 && op.Steps[n-1].Finished != nil {
		return op.Steps[n-1].Finished.Sub(op.Started.Time)
	}
	return 0
}
