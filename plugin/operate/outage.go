// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"fmt"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// Outage returns how long a job has kept the application from writing, as far as this process knows; 0 while it does not.
func (j *Job) Outage(now time.Time) time.Duration {
	if j.outage.IsZero() {
		return 0
	}
	return now.Sub(j.outage)
}

// time notes when the outage began, by the clock of this process: that of a site that falls silent is not known.
func (j *Job) time(p recovery.Pair, now time.Time) {
	since, is := j.Operation.Outage()
	from := p.Site(j.Operation.From)
	switch {
	case !is:
		j.outage = time.Time{}
	case !j.outage.IsZero():
	case from != nil && !from.Now.IsZero() && from.Now.After(since):
		j.outage = now.Add(-from.Now.Sub(since))
	default:
		j.outage = now
	}
}

// overdue reports whether the outage of a job lasts longer than the user allows.
func (o *Operator) overdue(j *Job, inputs []overview.SiteInput) bool {
	// Without the source nothing can take the role back.
	return o.MaxOutage > 0 && j.Outage(o.Clock.Now()) > o.MaxOutage && !j.Operation.Aborting && inputs[0].Answered && inputs[1].Answered
}

// takeBack aborts an operation whose outage lasts too long, as far as the planner lets it be aborted.
func (o *Operator) takeBack(j *Job, p recovery.Pair) {
	if !o.overdue(j, o.follower.Inputs()) {
		return
	}
	op, stop := recovery.Begin(p, recovery.Request{Abort: true, Holder: o.Holder}, j.Traits)
	if stop != nil || op.ID != j.Operation.ID {
		return
	}
	j.tookTooLong = fmt.Sprintf("no site was primary for longer than %s, in step %s: %s", o.MaxOutage, j.last.Step.ID, j.last.Wait)
	j.Operation = op
}

// done ends a job whose operation is done; one that took too long is not what was asked for.
func (j *Job) done() {
	if j.tookTooLong == "" || j.Operation.Result != recovery.Aborted {
		j.end(nil)
		return
	}
	j.end(clierror.New(clierror.CodeFailed, fmt.Sprintf("kubectl vgr validate %s -n %s", j.Name, j.Namespace),
		"%s/%s: the operation was taken back, and %s is primary again: %s", j.Namespace, j.Name, j.Operation.From.Name, j.tookTooLong))
}
