// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

// Place is where one cluster of a pair lives.
type Place struct {
	Site, Dir string
	// Port is the monitor's.
	Port int
}

// Pair are two clusters that mirror to each other. They end with the launcher, or by Close of each.
type Pair [2]*Cluster

// NewPair describes both; it starts nothing.
func NewPair(p Programs, l *process.Launcher, places [2]Place) *Pair {
	var pair Pair
	for i, place := range places {
		pair[i] = newCluster(p, l, place)
	}
	return &pair
}

// Start returns when both have a pool that is mirrored. The status interval is how often their mirroring daemons look
// at an image. Clusters that were started are to be closed also after an error.
func (p *Pair) Start(ctx context.Context, status time.Duration) error {
	var errs [2]error
	var both sync.WaitGroup
	for i, c := range p {
		both.Go(func() {
			if err := c.start(ctx, status); err != nil {
				errs[i] = fmt.Errorf("start Ceph on %s: %w", c.Site, err)
			}
		})
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	return mirror(ctx, p[0], p[1])
}
