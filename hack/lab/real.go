// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"path/filepath"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

// realCeph puts a real cluster behind each site; its daemons are processes of the site.
func (l *Lab) realCeph(p ceph.Programs) {
	var places [2]ceph.Place
	for i, site := range l.sites {
		places[i] = ceph.Place{Site: site.Name, Dir: filepath.Join(site.dir, "ceph"), Port: site.ports.monitor}
	}
	l.Real = ceph.NewPair(p, l.launcher, places)
	for i, site := range l.sites {
		site.volumes = l.Real[i]
		for _, name := range ceph.Daemons() {
			site.processes[name] = l.Real[i].Daemon(name)
		}
	}
}

// array returns what there is behind Ceph's class, as far as it can be seen.
func (l *Lab) array(ctx context.Context) array.State {
	if l.Real == nil {
		return l.Array.State()
	}
	const patience = 10 * time.Second // a cluster that is down does not answer at all
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.Real.State(ctx)
}
