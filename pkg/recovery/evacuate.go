// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"

// Place is where a group is, for those who empty a site.
type Place string

// Places.
const (
	// PlaceHere: the site is primary, or was when it fell silent.
	PlaceHere Place = "here"
	// PlaceLeaving: an operation that moves the role away from the site is in flight.
	PlaceLeaving Place = "leaving"
	// PlaceElsewhere: the other site is primary.
	PlaceElsewhere Place = "elsewhere"
	// PlaceUnclear: none of that is certain.
	PlaceUnclear Place = "unclear"
)

// PlaceOf returns where a group is, seen from a site.
func PlaceOf(p Pair, ref SiteRef) Place {
	at := p.Site(ref)
	if at == nil {
		return PlaceUnclear
	}
	other := p.other(at)
	op, err := Newest(p)
	switch {
	case err != nil:
		return PlaceUnclear
	case op.InFlight() && p.about(op) && p.Site(op.From) == at && op.Kind != Resync:
		return PlaceLeaving
	case op.InFlight():
		return PlaceUnclear
	case at.leads():
		return PlaceHere
	case other.leads():
		return PlaceElsewhere
	case !at.Answered && other.Group != nil && other.state() == vgrv1.StateSecondary:
		return PlaceHere
	default:
		return PlaceUnclear
	}
}

// leads reports whether a site is primary, or was asked to be.
func (s *Site) leads() bool {
	return s.Group != nil && (s.state() == vgrv1.StatePrimary || s.askedToLead())
}
