// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// ceph-csi makes groups of volumes, for snapshots, and says so. It does not mirror them: every call about the
// replication of a group finds no such volume.

// CreateGroup needs to be told where.
func (c *Cluster) CreateGroup(_ context.Context, name string, _ []string, p array.Parameters) (string, error) {
	for _, key := range []string{"clusterID", "pool"} {
		if p[key] == "" {
			return "", refuse(array.InvalidArgument, "%s must be set", key)
		}
	}
	return handlePrefix + name, nil
}

// ModifyGroup changes nothing that mirroring would see.
func (c *Cluster) ModifyGroup(context.Context, string, []string) error { return nil }

// DeleteGroup succeeds.
func (c *Cluster) DeleteGroup(context.Context, string) error { return nil }

// GroupMembers are not kept.
func (c *Cluster) GroupMembers(context.Context, string) ([]string, error) { return nil, nil }
