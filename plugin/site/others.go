// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"maps"
	"slices"
)

// Others returns the sites that have an alias or were found as a peer before, and are not among those of a command. One whose
// context is no longer in its kubeconfig is left out.
func (c *Connector) Others(pair ...*Site) []*Site {
	var out []*Site
	add := func(file, context, name string) {
		at, err := c.in(file, context)
		if err != nil {
			return
		}
		s := c.site(at)
		known := func(o *Site) bool { return o.Endpoint() == s.Endpoint() }
		if slices.ContainsFunc(pair, known) || slices.ContainsFunc(out, known) {
			return
		}
		if name != "" {
			s.Name = name
		}
		out = append(out, s)
	}
	for _, a := range c.aliases() {
		add(a.File, a.Context, a.Name)
	}
	cache := c.readCache()
	for _, endpoint := range slices.Sorted(maps.Keys(cache)) {
		add(cache[endpoint].File, cache[endpoint].Context, "")
	}
	return out
}
