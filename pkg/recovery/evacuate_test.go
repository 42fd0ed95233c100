// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"errors"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestPlaceOf: who empties a site moves what is primary there, leaves what is not, and is told of the rest.
func TestPlaceOf(t *testing.T) {
	moved := func(p *recovery.Pair) {
		isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
		isTo(p.Sites[west].Group, vgrv1.Primary, vgrv1.StatePrimary, met)
	}
	silent := func(p *recovery.Pair, i int) {
		p.Sites[i] = recovery.Site{SiteRef: sites[i], UnreachableReason: "no route"}
	}
	journal := func(p *recovery.Pair, from, to int, result recovery.Result) {
		p.Sites[west].Journal = &recovery.Operation{ID: "old", Kind: recovery.Planned, From: sites[from], To: sites[to], Revision: 3, Result: result}
	}
	for name, tc := range map[string]struct {
		change func(p *recovery.Pair)
		want   recovery.Place
	}{
		"primary there":                         {func(*recovery.Pair) {}, recovery.PlaceHere},
		"primary there, the other is silent":    {func(p *recovery.Pair) { silent(p, west) }, recovery.PlaceHere},
		"asked to be primary there":             {func(p *recovery.Pair) { isTo(p.Sites[east].Group, vgrv1.Primary, vgrv1.StateUnknown, met) }, recovery.PlaceHere},
		"both are primary":                      {func(p *recovery.Pair) { isTo(p.Sites[west].Group, vgrv1.Primary, vgrv1.StatePrimary, met) }, recovery.PlaceHere},
		"it is silent, its copy is a secondary": {func(p *recovery.Pair) { silent(p, east) }, recovery.PlaceHere},
		"primary on the other":                  {moved, recovery.PlaceElsewhere},
		"it is silent, the other took over":     {func(p *recovery.Pair) { moved(p); silent(p, east) }, recovery.PlaceElsewhere},
		"none is primary":                       {func(p *recovery.Pair) { isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met) }, recovery.PlaceUnclear},
		"it is silent, the copy is unknown": {func(p *recovery.Pair) {
			silent(p, east)
			isTo(p.Sites[west].Group, vgrv1.Secondary, vgrv1.StateUnknown, met)
		}, recovery.PlaceUnclear},
		"none answers":       {func(p *recovery.Pair) { silent(p, east); silent(p, west) }, recovery.PlaceUnclear},
		"it is being moved":  {func(p *recovery.Pair) { journal(p, east, west, "") }, recovery.PlaceLeaving},
		"it is coming":       {func(p *recovery.Pair) { journal(p, west, east, "") }, recovery.PlaceUnclear},
		"it was moved back":  {func(p *recovery.Pair) { journal(p, west, east, recovery.Done) }, recovery.PlaceHere},
		"an unusual journal": {func(p *recovery.Pair) { p.Sites[east].JournalError = errors.New("cannot be read") }, recovery.PlaceUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) { tc.change(p) })
			if got := recovery.PlaceOf(p, sites[east]); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	if p, _ := ceph(func(*recovery.Pair, *[2]recovery.Environment) {}); recovery.PlaceOf(p, recovery.SiteRef{Name: "north", Cluster: "uid-north"}) != recovery.PlaceUnclear {
		t.Error("a site that is none of the two")
	}
}
