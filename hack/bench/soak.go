// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

const (
	// standing groups are there all the time, passing ones come and go beside them.
	standing, passing = 20, 10
	// samples are taken of the memory, evenly.
	samples = 40
)

// soak keeps the screen and the controller busy for a long time, and looks at their memory: groups of both sites
// change, others are created and deleted, and keys are pressed.
func (b *bench) soak(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	names, err := b.pairs(ctx, l, sites, 0, standing)
	if err != nil {
		return nil, err
	}
	apps := load.Applications{Namespace: moving, Volumes: 1, StorageClass: lab.FastStorageClass}
	if err := apps.Make(ctx, sites[0], standing, standing+passing); err != nil {
		return nil, err
	}
	t, err := openTerminal(ctx, b, l, "app-", "tui", "-A")
	if err != nil {
		return nil, err
	}
	defer t.close()
	if _, err := t.wait(ctx, t.row, 0); err != nil {
		return nil, err
	}
	work, ctx := errgroup.WithContext(ctx)
	deadline := time.Now().Add(b.soaked)
	var touched, passed int
	var memory [2][]float64 // of the screen, of the controller
	work.Go(func() (err error) { touched, err = b.touch(ctx, sites, names, deadline); return err })
	work.Go(func() (err error) { passed, err = comeAndGo(ctx, sites[0], apps, deadline); return err })
	work.Go(func() (err error) { memory, err = b.weigh(ctx, l, t, deadline); return err })
	if err := work.Wait(); err != nil {
		return nil, err
	}
	r := result{
		Title: fmt.Sprintf("soak of %s", b.soaked), Ours: "kubectl-vgr tui -A, and vgr-controller",
		Again: fmt.Sprintf("make bench ARGS='-only soak -soaked %s -changes %d'", b.soaked, b.changes),
		Notes: []string{fmt.Sprintf("%d groups changed %d times, others were created %d times and deleted in between; medians of the memory in each quarter of the time", standing, touched, passed)},
	}
	for i, what := range []string{"screen", "controller"} {
		for quarter := range 4 {
			n := len(memory[i])
			r.Rows = append(r.Rows, row{Measure: fmt.Sprintf("%s, quarter %d", what, quarter+1), Unit: "MB", Ours: median(memory[i][quarter*n/4:(quarter+1)*n/4]) / 1e6})
		}
	}
	return []result{r}, nil
}

// touch changes one group after another on both sites, so that the controllers and the screen look at it.
func (b *bench) touch(ctx context.Context, sites load.Sites, names []string, deadline time.Time) (int, error) {
	tick := time.NewTicker(time.Second / time.Duration(max(b.changes, 1)))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			return n, nil
		}
		g := &vgrv1.VolumeGroupReplication{}
		g.Namespace, g.Name = moving, names[n/2%len(names)]
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/touched":"%d"}}}`, n)
		if err := sites[n%2].Patch(ctx, g, client.RawPatch(types.MergePatchType, patch)); err != nil {
			return n, err
		}
	}
}

// comeAndGo creates and deletes groups with their replication, each in turn, and returns how many it has created.
func comeAndGo(ctx context.Context, c client.Client, apps load.Applications, deadline time.Time) (created int, err error) {
	const interval = 2 * time.Second
	for n := 0; time.Now().Before(deadline); n++ {
		app, going := standing+n%passing, n/passing%2 == 1
		if going {
			g := &vgrv1.VolumeGroupReplication{}
			g.Namespace, g.Name = apps.Namespace, apps.Name(app)
			err = client.IgnoreNotFound(c.Delete(ctx, g))
		} else if err = c.Create(ctx, apps.Group(moving, app)); err == nil {
			created++
		} else if apierrors.IsAlreadyExists(err) { // the storage is still at its deletion
			err = nil
		}
		if err != nil {
			return created, err
		}
		pause(ctx, interval)
	}
	return created, ctx.Err()
}

// weigh presses keys, and samples the memory of screen and controller.
func (b *bench) weigh(ctx context.Context, l *lab.Lab, t *terminal, deadline time.Time) ([2][]float64, error) {
	var memory [2][]float64
	for time.Now().Before(deadline) {
		if _, err := t.press(ctx); err != nil {
			return memory, err
		}
		screen, err := usageOf(t.cmd.Process.Pid)
		if err != nil {
			return memory, err
		}
		controller, err := process(l.Site(lab.East), lab.Controller)
		if err != nil {
			return memory, err
		}
		memory[0], memory[1] = append(memory[0], screen.now), append(memory[1], controller.now)
		pause(ctx, b.soaked/samples)
	}
	return memory, ctx.Err()
}
