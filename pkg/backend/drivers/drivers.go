// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package drivers lists the backends that the plugin and the controller are built with. A new backend is one line here.
package drivers

import (
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/dell"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
)

// All returns every backend, in the order in which a class is matched with one.
func All() []backend.Driver {
	return []backend.Driver{csiaddons.Driver(), dell.Driver(), trident.Driver()}
}

// Profiles returns what is known of every backend without a cluster.
func Profiles() backend.Profiles {
	var all backend.Profiles
	for _, d := range All() {
		all = append(all, d.Profile)
	}
	return all
}
