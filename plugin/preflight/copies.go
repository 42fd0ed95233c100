// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
)

// copies asks the sites for the handles of the copies of groups whose handles differ between the sites: some drivers tell them.
// Without an answer they stay unknown, and the checks refuse such a group.
func (s *Observation) copies(ctx context.Context, e *cli.Env) {
	var asked sync.WaitGroup
	var mu sync.Mutex
	for i := range s.Inputs[0].Groups {
		here := &s.Inputs[0].Groups[i]
		j := slices.IndexFunc(s.Inputs[1].Groups, func(g vgrv1.VolumeGroupReplication) bool { return g.Namespace == here.Namespace && g.Name == here.Name })
		if j < 0 || !differ(here.Status.Volumes, s.Inputs[1].Groups[j].Status.Volumes) {
			continue
		}
		profile, ok := e.Profiles.Named(here.Status.Backend)
		if !ok || profile.Held == nil || !profile.Traits.ConfirmsSync {
			continue
		}
		name := types.NamespacedName{Namespace: here.Namespace, Name: here.Name}
		var pvcs []string
		for _, v := range here.Status.Volumes {
			pvcs = append(pvcs, v.Name)
		}
		for at, site := range s.Sites {
			asked.Go(func() {
				c, err := site.Client()
				if err != nil {
					return
				}
				held, _ := profile.Held(ctx, c, name.Namespace, pvcs)
				handles := map[string]string{}
				for _, h := range held {
					if h.PeerHandle != "" {
						handles[h.PVC] = h.PeerHandle
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if s.handles[at] == nil {
					s.handles[at] = map[types.NamespacedName]map[string]string{}
				}
				s.handles[at][name] = handles
			})
		}
	}
	asked.Wait()
}

// differ reports whether a PVC has another handle on the other site.
func differ(here, there []vgrv1.VolumeStatus) bool {
	return slices.ContainsFunc(here, func(v vgrv1.VolumeStatus) bool {
		return slices.ContainsFunc(there, func(o vgrv1.VolumeStatus) bool { return o.Name == v.Name && o.VolumeHandle != v.VolumeHandle })
	})
}
