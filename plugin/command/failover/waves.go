// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
)

// operate carries the jobs out, wave by wave. What depends on a group that was not moved stays where
// it is.
func (o *operation) operate(ctx context.Context, e *cli.Env, s *preflight.Observation, namespace string, jobs []*operate.Job, w *operate.Waves[*operate.Job]) (all []ending) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, operate.ErrTimeout)
	defer cancel()
	p := newProgress(e, jobs)
	defer p.close()
	seen := e.Memory(s.Sites[:])
	defer seen.Save()
	w.Run(jobs, func(wave int, jobs []*operate.Job) {
		operator := o.operator(e, s, jobs)
		operator.Progress = p.tell
		operator.Run(ctx, namespace, jobs, s.Inputs)
		after := overview.Build(operator.Inputs(), e.Clock.Now())
		seen.Refresh(&after) // what was seen before the operation is no longer so
		for _, j := range jobs {
			all = append(all, ending{namespace: j.Namespace, name: j.Name, object: j.Object, op: &j.Operation, err: j.Err(), left: j.Left(), notStarted: j.Left() != "" && !j.Began(), readOnly: j.ReadOnly()})
			if j.Err() != nil {
				w.Stop(wave)
			}
		}
	}, func(j *operate.Job, reason string) {
		all = append(all, ending{namespace: j.Namespace, name: j.Name, op: &j.Operation, notStarted: true, err: clierror.Refused("", "%s/%s: %s", j.Namespace, j.Name, reason)})
	})
	return all
}
