// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
)

// waves order groups that depend on each other: a wave begins when the one before it is done.
type waves struct {
	of map[*operate.Job]int
	// stopped is the lowest wave with a group that was not moved; nil without one.
	stopped *int
}

func (w *waves) stop(wave int) {
	if w.stopped == nil || wave < *w.stopped {
		w.stopped = &wave
	}
}

// waveOf reads the group's annotation, on the site that has it.
func waveOf(p recovery.Pair) (int, error) {
	for _, s := range p.Sites {
		if s.Group == nil {
			continue
		}
		if text := s.Group.Annotations[vgrv1.AnnotationWave]; text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, clierror.Refused(fmt.Sprintf("kubectl --context %s -n %s annotate volumegroupreplications.replication.unified.io %s --overwrite %s=1, or another whole number", cmp.Or(s.Kubectl, recovery.ShellQuote(s.Name)), p.Namespace, p.Name, vgrv1.AnnotationWave), "%s/%s: annotation %s on %s is not a number: %q", p.Namespace, p.Name, vgrv1.AnnotationWave, s.Name, text)
			}
			return n, nil
		}
	}
	return 0, nil
}

// operate carries the jobs out, wave by wave. What depends on a group that was not moved stays where
// it is.
func (o *operation) operate(ctx context.Context, e *cli.Env, s *preflight.Observation, namespace string, jobs []*operate.Job, w *waves) (all []ending) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, operate.ErrTimeout)
	defer cancel()
	byWave := map[int][]*operate.Job{}
	for _, j := range jobs {
		byWave[w.of[j]] = append(byWave[w.of[j]], j)
	}
	p := newProgress(e, jobs)
	defer p.close()
	seen := e.Memory(s.Sites[:])
	defer seen.Save()
	for _, wave := range slices.Sorted(maps.Keys(byWave)) {
		if w.stopped != nil && *w.stopped < wave {
			for _, j := range byWave[wave] {
				all = append(all, ending{namespace: j.Namespace, name: j.Name, op: &j.Operation, notStarted: true, err: clierror.Refused("", "%s/%s: not started, because wave %d is not done", j.Namespace, j.Name, *w.stopped)})
			}
			continue
		}
		operator := o.operator(e, s, jobs)
		operator.Progress = p.tell
		operator.Run(ctx, namespace, byWave[wave], s.Inputs)
		after := overview.Build(operator.Inputs(), e.Clock.Now())
		seen.Refresh(&after) // what was seen before the operation is no longer so
		for _, j := range byWave[wave] {
			all = append(all, ending{namespace: j.Namespace, name: j.Name, op: &j.Operation, err: j.Err(), left: j.Left(), notStarted: j.Left() != "" && !j.Began(), readOnly: j.ReadOnly()})
			if j.Err() != nil {
				w.stop(wave)
			}
		}
	}
	return all
}
