// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"fmt"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// evacuation are the groups of a site that is emptied.
type evacuation struct {
	from string
	// abort wants only the groups that an operation moves away from the site.
	abort bool
}

// keep leaves in the observation the groups that are primary on the site, and those of which that is not certain.
func (v evacuation) keep(e *cli.Env, s *preflight.Observation) {
	if v.from == "" {
		return
	}
	all := s.View.Groups
	s.View.Groups = nil
	for _, g := range all {
		place := v.place(s, s.Facts(e, g).Pair)
		if place == recovery.PlaceLeaving || !v.abort && place != recovery.PlaceElsewhere {
			s.View.Groups = append(s.View.Groups, g)
		}
	}
	elsewhere := len(all) - len(s.View.Groups)
	switch {
	case v.abort && len(s.View.Groups) == 0:
		fmt.Fprintln(e.ErrOut, present.Clean("no operation that moves a group away from "+v.from+" is in flight"))
	case len(s.View.Groups) == 0:
		fmt.Fprintln(e.ErrOut, present.Clean("no group is primary on "+v.from))
	case elsewhere > 0 && !v.abort:
		fmt.Fprintln(e.ErrOut, present.Clean(fmt.Sprintf("groups that are not primary on %s, and stay as they are: %d", v.from, elsewhere)))
	}
}

// refuse refuses a group of which it is not certain that it is primary on the site: who empties a site must not miss one.
func (v evacuation) refuse(s *preflight.Observation, p recovery.Pair) *recovery.Stop {
	if v.from == "" || v.place(s, p) != recovery.PlaceUnclear {
		return nil
	}
	return &recovery.Stop{
		Reason: recovery.Refused, Message: "it is not certain which site is primary, so --from " + v.from + " leaves the group as it is",
		Next: fmt.Sprintf("kubectl vgr status %s -n %s", p.Name, p.Namespace),
	}
}

func (v evacuation) place(s *preflight.Observation, p recovery.Pair) recovery.Place {
	return recovery.PlaceOf(p, v.site(s))
}

func (v evacuation) site(s *preflight.Observation) recovery.SiteRef {
	for i, x := range s.Sites {
		if x.Name == v.from {
			return operate.Ref(x, s.Clusters[i])
		}
	}
	return recovery.SiteRef{}
}

// away returns the site that is not the one that is emptied; empty without one.
func (v evacuation) away(s *preflight.Observation) string {
	switch v.from {
	case s.Sites[0].Name:
		return s.Sites[1].Name
	case s.Sites[1].Name:
		return s.Sites[0].Name
	default:
		return ""
	}
}
