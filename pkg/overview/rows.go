// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Row is one PVC of a group over all sites.
type Row struct {
	PVC string
	// On has one entry for each site of the group, in its order.
	On []RowSite
	// Synced is the volume whose last synchronisation counts: the primary's, or the copy's where the backend tells a
	// primary nothing. Nil while no site alone is primary: then each volume has its own time.
	Synced *vgrv1.VolumeStatus
	// LagSeconds is how old the last synchronisation of the primary's volume is, by the clock that the group's lag is counted
	// by; nil when it is not known. Late judges it by the schedule.
	LagSeconds *int64
	Late       Level
	// Notes are the differences between the sites, and what the backends say of the volumes.
	Notes []string
	// Trouble is true when a copy is missing, has an error or another size, or another role than its group.
	Trouble bool
}

// RowSite is a PVC on one site.
type RowSite struct {
	// Volume is nil where the site has none, or is not known to have one.
	Volume *vgrv1.VolumeStatus
	// Missing is true when the site's controller has answered, and the PVC is not in its group.
	Missing bool
	// Follows is true of the copy of a live primary. Ceph calls such a one degraded and resyncing for ever, or healthy for
	// ever if it once was: neither says anything about now.
	Follows bool
	// Leftover is true of the copy of a site that does not answer, and of a group that is being deleted: what was said of its
	// health is of the time before.
	Leftover bool
	// Clashes is true of a primary whose copy on another site is primary too.
	Clashes bool
}

// Rows returns the PVCs of a group: those with trouble first, then those that are late, each in natural order.
func (g *Group) Rows() []Row {
	at := map[string]int{}
	var rows []Row
	for i, s := range g.Sites {
		for n := range s.Volumes {
			v := &s.Volumes[n]
			r, known := at[v.Name]
			if !known {
				r = len(rows)
				at[v.Name], rows = r, append(rows, Row{PVC: v.Name, On: make([]RowSite, len(g.Sites))})
			}
			rows[r].On[i].Volume = v
		}
	}
	for i := range rows {
		g.complete(&rows[i])
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		if a.Trouble != b.Trouble {
			if a.Trouble {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(badness(b.Late), badness(a.Late)), natural(a.PVC, b.PVC))
	})
	return rows
}

// badness orders levels, the worst highest.
func badness(l Level) int { return slices.Index([]Level{OK, Warning, Problem}, l) }

// tellsVolumes reports whether a volume that the site does not name is not there.
func (s *GroupSite) tellsVolumes() bool {
	return s.Current && (s.Native == nil || !s.Native.VolumesUnknown)
}

// complete compares the sites of a row.
func (g *Group) complete(r *Row) {
	p, led := g.Primary()
	var sizes, roles []string
	for i := range r.On {
		on, s := &r.On[i], &g.Sites[i]
		v := on.Volume
		if v == nil {
			if on.Missing = s.tellsVolumes(); on.Missing {
				r.Trouble = true
				r.Notes = append(r.Notes, "not in the group on "+s.Site)
			}
			continue
		}
		g.healthOf(s, on)
		if led && p.Site == s.Site || led && r.Synced == nil && reportsNothing(p) {
			r.Synced = v
		}
		if v.CapacityBytes != nil {
			sizes = append(sizes, fmt.Sprintf("%s on %s", Size(*v.CapacityBytes), s.Site))
		}
		if v.State == vgrv1.StatePrimary {
			roles = append(roles, s.Site)
		}
		r.Trouble = r.Trouble || v.Health == vgrv1.HealthError || s.apart(v)
		if text := g.says(s, on); text != "" {
			r.Notes = append(r.Notes, s.Site+": "+text)
		}
	}
	r.compare(roles, sizes)
	r.Late = OK
	if led {
		r.age(g, p)
	}
}

// healthOf judges what a site says of the health of a copy.
func (g *Group) healthOf(s *GroupSite, on *RowSite) {
	v := on.Volume
	leaves := s.Deleting && !meta.IsStatusConditionTrue(s.Conditions, vgrv1.ConditionDeletionHeld) // its controller observes the volumes no more
	on.Follows = !leaves && g.follows(s) && v.State == vgrv1.StateSecondary && v.Health != vgrv1.HealthError && v.Health != ""
	on.Leftover = (leaves || g.cutOff(s)) && v.Health != vgrv1.HealthError
}

// age counts the lag of a PVC from that of its group, so that both are of one clock.
func (r *Row) age(g *Group, p GroupSite) {
	if g.LagSeconds == nil || g.LastSyncTime == nil || r.Synced == nil || r.Synced.LastSyncTime == nil || reportsNothing(p) {
		return
	}
	lag := *g.LagSeconds + int64(g.LastSyncTime.Sub(r.Synced.LastSyncTime.Time).Seconds())
	if lag < 0 {
		return
	}
	r.LagSeconds, r.Late = &lag, g.late(lag)
}

// compare notes what differs between the sites: who is primary, and the sizes.
func (r *Row) compare(roles, sizes []string) {
	if len(roles) > 1 {
		r.Trouble = true
		for i := range r.On {
			r.On[i].Clashes = r.On[i].Volume != nil && r.On[i].Volume.State == vgrv1.StatePrimary
		}
		r.Notes = append(r.Notes, "primary on "+strings.Join(roles, " and on "))
	}
	if r.resized() {
		r.Trouble = true
		r.Notes = append(r.Notes, "size "+strings.Join(sizes, ", "))
	}
}

// apart reports whether a volume has another role than its group, or none while others have one.
func (s *GroupSite) apart(v *vgrv1.VolumeStatus) bool {
	hasRole := func(v vgrv1.VolumeStatus) bool {
		return v.State == vgrv1.StatePrimary || v.State == vgrv1.StateSecondary
	}
	switch {
	case !s.Current:
		return false
	case !hasRole(*v):
		return slices.ContainsFunc(s.Volumes, hasRole)
	case s.State == vgrv1.StatePrimary || s.State == vgrv1.StateSecondary:
		return v.State != s.State
	default:
		return s.Desired != vgrv1.Resync && !strings.EqualFold(string(v.State), string(s.Desired))
	}
}

// resized reports whether the sites know different sizes.
func (r *Row) resized() bool {
	var size *int64
	for _, on := range r.On {
		if on.Volume == nil || on.Volume.CapacityBytes == nil {
			continue
		}
		if size != nil && *size != *on.Volume.CapacityBytes {
			return true
		}
		size = on.Volume.CapacityBytes
	}
	return false
}

// says returns the backend's message on a volume, unless the group has it, or it is of the time before the copy followed.
func (g *Group) says(s *GroupSite, on *RowSite) string {
	text := on.Volume.Message
	if on.Leftover || on.Follows && on.Volume.Health != vgrv1.HealthUnknown || strings.Contains(g.Verdict.Message, text) || s.routine(text) ||
		slices.ContainsFunc(s.Conditions, func(c metav1.Condition) bool { return c.Message == text && g.matters(s, &c) }) {
		return ""
	}
	return text
}

// follows reports whether a site is a secondary whose peer is primary. A copy that reports an error, or volumes of which
// are promoted, does not follow.
func (g *Group) follows(s *GroupSite) bool {
	p, ok := g.Primary()
	return ok && g.Verdict.Phase != SplitBrain && s.CopyError == "" && p.Site != s.Site && s.State == vgrv1.StateSecondary && s.Desired == vgrv1.Secondary
}

// cutOff reports whether a site is a secondary whose peer does not answer. What it said of its health is left from when it did: a
// Ceph copy calls itself degraded and resyncing as long as it follows.
func (g *Group) cutOff(s *GroupSite) bool {
	_, led := g.Primary()
	return !led && g.Verdict.Phase == Unreachable && s.CopyError == "" && s.State == vgrv1.StateSecondary && s.Desired == vgrv1.Secondary
}

// routine reports whether a text only repeats the state that the site has and was asked for, as "volume is marked primary".
func (s *GroupSite) routine(text string) bool {
	for part := range strings.SplitSeq(text, "; ") {
		if !strings.HasSuffix(part, "volume is marked "+string(s.Desired)) {
			return false
		}
	}
	return strings.EqualFold(string(s.State), string(s.Desired))
}

// Says returns what a site says of the group; empty when that only repeats its state.
func (s *GroupSite) Says() string {
	switch {
	case s.Ready.Status != metav1.ConditionTrue:
		return s.Ready.Message
	case s.routine(s.Message):
		return ""
	default:
		return s.Message
	}
}

// Matters returns the conditions of a site that are not as they are of a group that replicates.
func (g *Group) Matters(site string) []metav1.Condition {
	i := slices.IndexFunc(g.Sites, func(s GroupSite) bool { return s.Site == site })
	if i < 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Sites[i].Conditions), func(c metav1.Condition) bool { return !g.matters(&g.Sites[i], &c) })
}

// matters reports whether a condition is not as wanted. One of an unknown type may say anything, so it does.
func (g *Group) matters(s *GroupSite, c *metav1.Condition) bool {
	wanted := metav1.ConditionTrue
	switch c.Type {
	case vgrv1.ConditionReady, vgrv1.ConditionCompleted, vgrv1.ConditionReplicating, vgrv1.ConditionValidated:
	case vgrv1.ConditionDegraded, vgrv1.ConditionResyncing:
		if (g.follows(s) || g.cutOff(s)) && c.Reason != vgrv1.ReasonLinkNotInSync && c.Reason != vgrv1.ReasonGroupError {
			return false
		}
		wanted = metav1.ConditionFalse
	case vgrv1.ConditionGroupConsistent: // how volumes are replicated is no fault
		return c.Status != metav1.ConditionTrue && c.Reason != vgrv1.ReasonPerVolume && c.Reason != vgrv1.ReasonGroupSnapshots
	default:
		return true
	}
	return c.Status != wanted
}

// Size returns bytes in the words of Kubernetes.
func Size(bytes int64) string { return resource.NewQuantity(bytes, resource.BinarySI).String() }

// natural compares names as people count: data-2 is before data-10.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		n, m := digits(x), digits(y)
		if n == 0 || m == 0 {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		left, right := strings.TrimLeft(x[:n], "0"), strings.TrimLeft(y[:m], "0")
		if c := cmp.Or(cmp.Compare(len(left), len(right)), cmp.Compare(left, right)); c != 0 {
			return c
		}
		x, y = x[n:], y[m:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits returns how many a text begins with.
func digits(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }
