// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/consumers"
)

// looks are the jobs that need to know what uses their PVCs. Both sites are read once for all that
// ask; who asks while they are read is answered by the next look, so that no answer is older than
// its question. What was just scaled is read again at once, then once a second.
type looks struct {
	asked, reading []*Job
	next           time.Time
	done           chan looked
}

// looked is what both sites said, by namespace; nil for one that did not answer.
type looked [2]map[string]*consumers.Snapshot

// look begins to read when a job has asked, at most once in a second.
func (o *Operator) look(ctx context.Context, inputs []overview.SiteInput) {
	l := &o.looks
	now := o.Clock.Now()
	if len(l.asked) == 0 || len(l.reading) > 0 || now.Before(l.next) {
		return
	}
	l.reading, l.asked, l.next = l.asked, nil, now.Add(retryAfter/2) // Run wakes up once a second
	workloads := slices.ContainsFunc(l.reading, func(j *Job) bool { return j.Operation.Quiesce })
	var namespaces []string
	for _, j := range l.reading {
		namespaces = append(namespaces, j.Namespace)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		defer cancel()
		var seen looked
		var both sync.WaitGroup
		for i, s := range o.Sites {
			if inputs[i].Answered {
				both.Go(func() { seen[i] = consumers.Read(ctx, s, namespaces, workloads) })
			}
		}
		both.Wait()
		l.done <- seen
	}()
}

// deliver gives every job that asked its answer.
func (l *looks) deliver(seen looked, inputs []overview.SiteInput) {
	for _, j := range l.reading {
		j.busy, j.usage = false, &[2]*recovery.Usage{}
		for i, in := range inputs {
			if g := in.Group(j.Namespace, j.Name); in.Answered && g != nil && seen[i] != nil {
				j.usage[i] = seen[i][j.Namespace].Of(g)
			}
		}
	}
	l.reading = nil
}
