// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// volumes draws one row per PVC, both sites in it, and below what differs between the sites.
func (s Style) volumes(b *strings.Builder, o overview.Overview, g overview.Group, wide bool) error {
	rows := g.Rows()
	if len(rows) == 0 {
		return nil
	}
	b.WriteByte('\n')
	if err := s.volumeTable(o, g, rows, wide).write(b); err != nil {
		return err
	}
	s.notes(b, rows)
	return nil
}

func (s Style) volumeTable(o overview.Overview, g overview.Group, rows []overview.Row, wide bool) table {
	t := table{style: s, indent: "  ", head: []string{"PVC", "SIZE"}, drop: []string{"OBJECTS", "TOOK", "SENT", "LAG"}, whole: []string{"LAST SYNC", "LAG"}}
	t.head = append(append(t.head, siteHeads(o.Sites)...), "LAST SYNC", "LAG", "SENT", "TOOK", "OBJECTS")
	if wide {
		t.drop, t.head = nil, append(t.head, "HANDLES", "VOLUMES")
	}
	for _, r := range rows {
		t.rows = append(t.rows, s.volumeRow(o, g, r, wide))
	}
	return t.filled("SIZE", "LAG", "SENT", "TOOK", "OBJECTS")
}

func (s Style) volumeRow(o overview.Overview, g overview.Group, r overview.Row, wide bool) []string {
	name := Clean(r.PVC)
	if r.Trouble {
		name = s.level(overview.Problem, s.icon(overview.Problem)+" "+name)
	}
	size := s.both(r, func(v *vgrv1.VolumeStatus) string {
		if v.CapacityBytes == nil {
			return ""
		}
		return overview.Size(*v.CapacityBytes)
	})
	row := []string{name, size}
	for i := range r.On {
		row = append(row, s.volumeCell(o, g, i, r.On[i]))
	}
	lag, sent, took := "", "", ""
	if r.LagSeconds != nil {
		lag = duration.HumanDuration(time.Duration(*r.LagSeconds) * time.Second)
		if r.Late != overview.OK {
			lag = s.level(r.Late, lag)
		}
	}
	if v := r.Synced; v != nil {
		if v.LastSyncBytes != nil {
			sent = overview.Size(*v.LastSyncBytes)
		}
		if v.LastSyncDuration != nil {
			took = v.LastSyncDuration.Round(time.Millisecond).String()
		}
	}
	row = append(row, s.synced(o, r), lag, sent, took, s.both(r, func(v *vgrv1.VolumeStatus) string {
		if v.BackendRef == nil {
			return ""
		}
		return strings.ToLower(v.BackendRef.Kind) + "/" + v.BackendRef.Name
	}))
	if wide {
		row = append(row, s.both(r, func(v *vgrv1.VolumeStatus) string { return v.VolumeHandle }), s.both(r, func(v *vgrv1.VolumeStatus) string { return v.VolumeName }))
	}
	return row
}

// synced returns the last synchronisation of a PVC; of each site, in their order, while no site alone is primary.
func (s Style) synced(o overview.Overview, r overview.Row) string {
	at := func(v *vgrv1.VolumeStatus) string {
		if v.LastSyncTime == nil {
			return ""
		}
		return clockTime(v.LastSyncTime.Time, o.ObservedAt.Time)
	}
	if r.Synced != nil {
		return cmp.Or(at(r.Synced), "unknown")
	}
	return cmp.Or(s.both(r, at), "unknown")
}

// both returns a fact of a PVC once where the sites that have it agree, else that of each site, in their order.
func (s Style) both(r overview.Row, fact func(*vgrv1.VolumeStatus) string) string {
	var texts []string
	known := map[string]bool{}
	for _, on := range r.On {
		text := "-"
		if on.Volume != nil {
			text = cmp.Or(Clean(fact(on.Volume)), "-")
		}
		if text != "-" {
			known[text] = true
		}
		texts = append(texts, text)
	}
	switch len(known) {
	case 0:
		return ""
	case 1:
		for text := range known {
			return text
		}
	}
	return strings.Join(texts, ", ")
}

// volumeCell returns the state and health of a volume on a site.
func (s Style) volumeCell(o overview.Overview, g overview.Group, i int, on overview.RowSite) string {
	v := on.Volume
	switch {
	case v == nil && on.Missing:
		return s.level(overview.Problem, s.icon(overview.Problem)+" missing")
	case v == nil && o.Sites[i].Answered && !g.Sites[i].Exists && !g.Sites[i].Unread:
		return s.paint(grey, "absent")
	case v == nil:
		return s.paint(grey, "unknown")
	}
	state := Clean(string(cmp.Or(v.State, vgrv1.StateUnknown)))
	switch {
	case on.Clashes:
		return s.level(overview.Problem, s.icon(overview.Problem)+" "+state)
	case on.Follows:
		return s.level(overview.OK, s.icon(overview.OK)) + " " + state + ", follows"
	case on.Leftover:
		return s.paint(grey, "?") + " " + state
	case v.Health == vgrv1.HealthHealthy:
		return s.level(overview.OK, s.icon(overview.OK)) + " " + state
	case v.Health == vgrv1.HealthError:
		return s.level(overview.Problem, s.icon(overview.Problem)+" "+state+", "+string(v.Health))
	case v.Health == vgrv1.HealthDegraded || v.Health == vgrv1.HealthResyncing:
		return s.level(overview.Warning, s.icon(overview.Warning)+" "+state+", "+string(v.Health))
	case v.Health == "" || v.Health == vgrv1.HealthUnknown:
		return s.paint(grey, "?") + " " + state
	default:
		return Clean(string(v.Health)) + " " + state
	}
}

// notes says once what holds of several PVCs.
func (s Style) notes(b *strings.Builder, rows []overview.Row) {
	var texts []string
	of := map[string][]string{}
	for _, r := range rows {
		for _, text := range r.Notes {
			if of[text] == nil {
				texts = append(texts, text)
			}
			of[text] = append(of[text], r.PVC)
		}
	}
	for _, text := range texts {
		names := of[text]
		if more := len(names) - 3; more > 1 {
			names = append(slices.Clone(names[:3]), fmt.Sprintf("%d more", more))
		}
		fmt.Fprintln(b, s.wrap("  ", Clean(strings.Join(names, ", ")+": "+text)))
	}
}

// conditions draws those of a group that are not as wanted and not told above, or all.
func (s Style) conditions(b *strings.Builder, o overview.Overview, g overview.Group, wide bool) error {
	for _, gs := range g.Sites {
		shown := gs.Conditions
		if !wide {
			shown = slices.DeleteFunc(g.Matters(gs.Site), func(c metav1.Condition) bool {
				return c.Type == vgrv1.ConditionReady && (overview.Ready{Status: c.Status, Reason: c.Reason, Message: c.Message}) == gs.Ready
			})
		}
		if len(shown) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n  %s\n", s.paint(bold, "Conditions on "+Clean(gs.Site)))
		t := table{style: s, indent: "  ", head: []string{"TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"}, drop: []string{"SINCE"}, hang: true}
		for _, c := range shown {
			message := c.Message
			if !wide && strings.Contains(g.Verdict.Message, message) {
				message = ""
			}
			t.rows = append(t.rows, []string{
				Clean(c.Type), Clean(string(c.Status)), Clean(c.Reason), c.LastTransitionTime.In(o.ObservedAt.Location()).Format(time.DateTime), Clean(message),
			})
		}
		if err := t.filled("MESSAGE").write(b); err != nil {
			return err
		}
	}
	return nil
}
