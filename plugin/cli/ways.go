// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// Ways returns the commands that end an operation that is in flight.
func Ways(op *recovery.Operation, g *vgrv1.VolumeGroupReplication) []string {
	return op.Ways(g.Namespace, g.Name)
}
