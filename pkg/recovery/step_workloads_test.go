// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestStarted: the time begins with the first write, not with the plan that the administrator had to read.
func TestStarted(t *testing.T) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.settle()
	w.begin(0, w.request("A"))
	op := w.tools[0].op
	for range 3 {
		p := w.observe(true)
		for i := range p.Sites {
			p.Sites[i].Now = now.Add(time.Hour)
		}
		d := recovery.Next(p, op, w.traits)
		op = d.Operation
		w.tools[0].pending = d.Write
		w.send(0)
	}
	if got := w.read.of(w.groups[east]).op.Started.Time; !got.Equal(now.Add(time.Hour)) {
		t.Errorf("the journal says that it started at %s", got)
	}
}

// TestScaledMeanwhile: a workload that was scaled since the plan is started as it was when it was stopped; both
// journals say so before.
func TestScaledMeanwhile(t *testing.T) {
	p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
		p.Sites[west].Group.Status.Volumes[0].VolumeHandle = "handle"
		p.Sites[east].Group.Status.LastSyncTime = &synced
		for i := range p.Sites {
			*p.Sites[i].Group.Spec.AutoResync = false
			put(t, &p.Sites[i], begun(func(*recovery.Operation) {}))
		}
	})
	op, replicas := begun(func(*recovery.Operation) {}), int32(5)
	var done []string
	for range 10 {
		scaled := db
		scaled.Replicas = replicas
		p.Sites[east].Usage = &recovery.Usage{Workloads: []recovery.Workload{scaled}}
		d := recovery.Next(p, op, facts.Traits)
		op = d.Operation
		switch {
		case d.Write == nil:
			t.Fatalf("%+v", d)
		case len(d.Write.Scale) > 0:
			done = append(done, "scaled")
			replicas = 0
		case d.Write.State != "":
			done = append(done, "demoted")
			if got := d.Write.Operation.Stopped[0].Replicas; got != 5 {
				t.Errorf("the journal says %d", got)
			}
			if diff := cmp.Diff([]string{"written on west", "written on east", "scaled", "demoted"}, done); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return
		default:
			done = append(done, "written on "+d.Write.Site.Name)
			put(t, p.Site(d.Write.Site), d.Write.Operation)
		}
	}
	t.Errorf("does the same again and again: %v", done)
}
