// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// Waves order jobs of groups that depend on each other: a wave begins when the one before it is done.
type Waves[J comparable] struct {
	of map[J]int
	// stopped is the lowest wave with a group that was not done; nil without one.
	stopped *int
}

// Put says in which wave a job is.
func (w *Waves[J]) Put(j J, wave int) {
	if w.of == nil {
		w.of = map[J]int{}
	}
	w.of[j] = wave
}

// Stop says that a group of a wave is not done: what is in later waves is not begun.
func (w *Waves[J]) Stop(wave int) {
	if w.stopped == nil || wave < *w.stopped {
		w.stopped = &wave
	}
}

// Run runs jobs wave by wave. Those of waves that are not begun are passed to skip, with the reason.
func (w *Waves[J]) Run(jobs []J, run func(wave int, jobs []J), skip func(j J, reason string)) {
	byWave := map[int][]J{}
	for _, j := range jobs {
		byWave[w.of[j]] = append(byWave[w.of[j]], j)
	}
	for _, wave := range slices.Sorted(maps.Keys(byWave)) {
		if w.stopped == nil || *w.stopped >= wave {
			run(wave, byWave[wave])
			continue
		}
		for _, j := range byWave[wave] {
			skip(j, fmt.Sprintf("not started, because wave %d is not done", *w.stopped))
		}
	}
}

// WaveOf reads the group's annotation, on the site that has it.
func WaveOf(p recovery.Pair) (int, error) {
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
