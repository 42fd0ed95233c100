// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// splitBrain holds when both sites report primary, when the backend calls a copy split, and when single volumes
// are primary on both sites.
func (j judged) splitBrain() *Verdict {
	var names []string
	for _, s := range j.Sites {
		if s.State == vgrv1.StatePrimary {
			names = append(names, s.Site)
		}
	}
	op, unplanned := j.givenUp()
	if len(names) >= 2 {
		v := &Verdict{
			Level: Problem, Phase: SplitBrain, Message: fmt.Sprintf("%s and %s both report primary", names[0], names[1]),
			Next: "decide whose data to keep: " + j.each("; ", func(site string) string {
				return j.command("reprotect", " --discard-site "+recovery.ShellQuote(site)) + " discards the writes that only " + site + " has"
			}),
		}
		if unplanned {
			v.Message = fmt.Sprintf("%s was given up for %s (operation %s) and still reports primary, as %s does", op.From, op.To, op.ID, op.To)
			v.Next = fmt.Sprintf("stop what runs on %s; %s", op.From, j.takeBack(op.From))
		}
		return v
	}
	for i, s := range j.Sites {
		if text := j.views[i].Broken(); j.views[i].Diverged() != "" || text != "" && unplanned && op.From == s.Site {
			return &Verdict{
				Level: Problem, Phase: SplitBrain, Message: fmt.Sprintf("the copy on %s has diverged and does not follow: %s", s.Site, text),
				Next: j.mendCopy(i),
			}
		}
	}
	return j.volumeSplit()
}

// givenUp returns the last operation if it gave up a site.
func (j judged) givenUp() (*Operation, bool) {
	op := j.Operation
	return op, op != nil && (op.Kind == recovery.Unplanned || op.Kind == recovery.Promote)
}

// mendCopy returns what to do about a copy that does not follow.
func (j judged) mendCopy(i int) string {
	site := j.Sites[i].Site
	if op, unplanned := j.givenUp(); unplanned && op.From == site {
		return fmt.Sprintf("stop what runs on %s; %s", site, j.takeBack(site))
	}
	p, ok := j.Primary()
	if !ok || p.Site == site {
		return ""
	}
	first := ""
	if p.Desired == vgrv1.Secondary { // another tool has moved the role: nothing is copied from a site that is to be secondary
		first = j.command("promote", " --context "+j.flag(p.Site)) + " keeps the role there; then, "
	}
	return first + fmt.Sprintf("if you can lose the writes that only %s has: %s", site, j.command("reprotect", " --discard-site "+recovery.ShellQuote(site)))
}

// volumeSplit holds when volumes of a copy are primary although its group is to be secondary: another tool has
// promoted them one by one.
func (j judged) volumeSplit() *Verdict {
	p, ok := j.Primary()
	if !ok {
		return nil
	}
	for i, s := range j.Sites {
		apart := j.views[i].Apart()
		if len(apart) == 0 || s.Desired == vgrv1.Primary || s.Site == p.Site || !j.stays(i) {
			continue
		}
		return &Verdict{
			Level: Problem, Phase: SplitBrain,
			Message: fmt.Sprintf("%s is primary on %s, whose group is to be %s, and on %s as well: another tool has promoted it by itself", volumeNames(apart), s.Site, s.Desired, p.Site),
			Next:    fmt.Sprintf("stop what writes to it on %s; if you can lose those writes: %s", s.Site, j.command("reprotect", " --discard-site "+recovery.ShellQuote(s.Site))),
		}
	}
	return nil
}

// between is how long volumes may have different roles because their group changes its own.
const between = time.Minute

// stays reports whether a site has been as it is for longer than a change of roles takes.
func (j judged) stays(i int) bool {
	if j.inFlight() {
		return false
	}
	age, known := state.Age(clockOf(j.sites, j.Sites[i].Site, j.now), j.copies[i].Status.StateSince)
	return !known || age > between
}

func volumeNames(volumes []vgrv1.VolumeStatus) string {
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	if len(names) == 1 {
		return "PVC " + names[0]
	}
	return "each of the PVCs " + strings.Join(names, ", ")
}

// copy returns the group on a site.
func (g *Group) copy(site string) *vgrv1.VolumeGroupReplication {
	for i, s := range g.Sites {
		if s.Site == site {
			return g.copies[i]
		}
	}
	return nil
}

// Volumes returns how many PVCs both sites have with a role that the backend confirms, and how many PVCs there
// are on either. A site that is not known does not count.
func (g *Group) Volumes() (confirmed, all int) {
	on := map[string]int{}
	sites := 0
	for _, s := range g.Sites {
		if !s.Exists || s.Native != nil && s.Native.VolumesUnknown {
			continue
		}
		sites++
		for _, v := range s.Volumes {
			if on[v.Name] += 0; v.State == vgrv1.StatePrimary || v.State == vgrv1.StateSecondary {
				on[v.Name]++
			}
		}
	}
	for _, n := range on {
		if n == sites {
			confirmed++
		}
	}
	return confirmed, len(on)
}
