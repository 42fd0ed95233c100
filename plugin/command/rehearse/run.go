// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// runAll rehearses groups, wave by wave, and so many at a time.
func (r *rehearse) runAll(ctx context.Context, todo []*job, waves *operate.Waves[*job]) {
	waves.Run(todo, func(wave int, jobs []*job) {
		turn := make(chan struct{}, r.concurrency)
		var all sync.WaitGroup
		for _, j := range jobs {
			turn <- struct{}{}
			all.Go(func() {
				defer func() { <-turn }()
				j.err = j.rehearse(ctx)
			})
		}
		all.Wait()
		for _, j := range jobs {
			if j.err != nil {
				waves.Stop(wave)
			}
		}
	}, func(j *job, reason string) {
		j.refused, j.err = true, clierror.Refused("", "rehearse %s on %s: %s", j.key, j.at.Name, reason)
	})
}

// rehearse takes one to its end.
func (j *job) rehearse(ctx context.Context) error {
	if err := cli.Ended(ctx, "run the same command again", "rehearsal of %s was not begun", j.key); err != nil {
		j.refused = true
		return err
	}
	if j.ends != nil {
		old := *j.place
		old.record, old.check, old.runner = *j.ends, nil, nil
		if err := old.end(ctx); err != nil {
			return err
		}
	}
	if !j.resumed {
		if err := j.put(ctx); err != nil {
			return err
		}
	}
	if err := j.run(ctx, "run the same command again: it continues\n"+endCommand(j.key, j.at)); err != nil {
		return err
	}
	end := ""
	if j.record.Kept() {
		end = endCommand(j.key, j.at)
	}
	if j.record.Result == rehearsal.Failed {
		return clierror.New(clierror.CodeFailed, end, "rehearse %s on %s: %s", j.key, j.at.Name, j.record.Message)
	}
	return nil
}

// put writes the record, by which the rehearsal is begun. It reads the group again: what was read before the confirmation may
// be old.
func (j *job) put(ctx context.Context) error {
	var g vgrv1.VolumeGroupReplication
	if err := j.c.Get(ctx, j.key, &g); err != nil {
		j.refused = true
		return cli.SiteError(ctx, j.at, "read group "+j.key.Name, err)
	}
	if last := rehearsal.Last(&g); last.Open() {
		j.refused = true
		return clierror.Refused("kubectl vgr rehearse list -n "+j.key.Namespace, "rehearse %s on %s: rehearsal %s was begun meanwhile by %s", j.key, j.at.Name, last.ID, last.By)
	}
	if g.UID != j.group.UID || g.Spec.ReplicationState != vgrv1.Secondary {
		j.refused = true
		return clierror.Refused("run the same command again", "%s has changed on %s meanwhile", j.key, j.at.Name)
	}
	j.group = &g
	if err := j.write(ctx, j.record, false); err != nil {
		return cli.WriteError(ctx, j.at, false, "write the record of the rehearsal to "+j.key.Name, err)
	}
	return nil
}

// dryRun has the API server check what can be checked before the namespace is there.
func (j *job) dryRun(ctx context.Context) error {
	if j.resumed {
		return nil
	}
	if err := j.write(ctx, j.record, true); err != nil {
		return err
	}
	storage, err := j.storageJob(ctx, rehearsal.StepClone)
	if err != nil {
		return err
	}
	for _, obj := range []client.Object{storage, j.record.NamespaceObject(j.key, nil)} {
		if err := j.c.Create(ctx, obj, site.FieldManager, client.DryRunAll); err != nil {
			return err
		}
	}
	return nil
}

// summarize says how it ended: all of one, and a table of several with the reasons below it.
func summarize(e *cli.Env, all []*job) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	if len(all) == 1 {
		if j := all[0]; !j.refused && j.record.Result != "" {
			present.Rehearsal(e.Out, style, j.at.Name, j.record, j.now())
			if j.record.Kept() && j.err == nil {
				fmt.Fprintf(e.ErrOut, "the clones are kept until %s; remove them with: %s\n", j.record.KeptUntil.UTC().Format(time.RFC3339), present.Clean(endCommand(j.key, j.at)))
			}
		}
		return nil
	}
	var rows [][]string
	passed, kept := 0, 0
	for _, j := range all {
		rows = append(rows, j.row())
		if j.err == nil {
			passed++
		}
		if !j.refused && j.record.Kept() {
			kept++
		}
	}
	if err := present.Rows(e.Out, style, []string{"GROUP", "SITE", "ID", "RESULT", "DATA AGE", "TOOK"}, rows); err != nil {
		return err
	}
	for _, j := range all {
		if j.err != nil {
			fmt.Fprintf(e.ErrOut, "%s: %s\n", j.result(), present.Clean(j.err.Error()))
		}
	}
	fmt.Fprintf(e.ErrOut, "%d of %d groups passed\n", passed, len(all))
	if kept > 0 {
		fmt.Fprintf(e.ErrOut, "the clones of %d groups are kept: kubectl vgr rehearse list -A shows until when\n", kept)
	}
	return nil
}

func (j *job) result() string {
	switch {
	case j.refused:
		return "refused"
	default:
		return cmp.Or(string(j.record.Result), "not finished")
	}
}

func (j *job) row() []string {
	row := []string{j.key.String(), "-", "-", j.result(), "-", "-"}
	if j.at != nil {
		row[1] = j.at.Name
	}
	if !j.refused {
		row[2] = j.record.ID
		if age, ok := j.record.Age(); ok {
			row[4] = duration.HumanDuration(age)
		}
		if took, ok := j.record.Proven(); ok {
			row[5] = took.Round(time.Second).String()
		}
	}
	for i := range row {
		row[i] = present.Clean(row[i])
	}
	return row
}
