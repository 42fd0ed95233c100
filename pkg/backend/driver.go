// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Driver is all that a program needs of a backend: its profile, and the constructor of its adapter.
type Driver struct {
	Profile
	// New returns an adapter that reads and writes through c, whose reads come from a cache; live reads past the cache.
	New func(c client.Client, live client.Reader, now clock.PassiveClock) Adapter
}
