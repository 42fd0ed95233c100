// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
)

// maxOperations is how many operations of a group a report has; history has the rest.
const maxOperations = 3

// Input is what a report is made of.
type Input struct {
	View      overview.Overview
	CreatedBy string
	Plugin    string
	Scope     string
	// Sites has one entry for each site of the view, in its order.
	Sites []SiteFacts
	// Ready returns whether a group of ours could be moved, and from where to where.
	Ready func(g overview.Group) (from, to string, ready recovery.Readiness)
	// Loss tells what an operation has lost.
	Loss func(op recovery.Operation) string
}

// SiteFacts is what is asked of a site beside its groups.
type SiteFacts struct {
	Kubernetes, Controller string
	// PVCs are all of the scope; Unread is why they could not be listed.
	PVCs   []corev1.PersistentVolumeClaim
	Unread string
	// Single are the PVCs that are replicated on their own.
	Single map[types.NamespacedName]bool
	// Silent is why that is not known.
	Silent string
}

// Build makes the report. It never fails: what is not known is said to be unknown.
func Build(in Input) *Report {
	r := &Report{
		TypeMeta:  metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: Kind},
		CreatedAt: in.View.ObservedAt, CreatedBy: in.CreatedBy, Plugin: in.Plugin, Scope: in.Scope,
		Sites: []Site{}, Groups: []Group{}, Unprotected: []PVC{}, NotKnown: []string{},
	}
	for i, s := range in.View.Sites {
		site := Site{Name: s.Name, Context: s.Context, Answered: s.Answered, Kubernetes: in.Sites[i].Kubernetes, Controller: in.Sites[i].Controller}
		if !s.Answered {
			site.Message = fmt.Sprintf("%s: %s", s.Problem, s.Message)
			r.NotKnown = append(r.NotKnown, s.Away())
		}
		for _, unread := range s.Unread {
			r.NotKnown = append(r.NotKnown, "groups of other tools on "+s.Name+" may be missing: "+unread)
		}
		r.Sites = append(r.Sites, site)
		r.unprotected(in, i)
	}
	groups := slices.Clone(in.View.Groups)
	slices.SortStableFunc(groups, func(a, b overview.Group) int { return a.Verdict.Compare(b.Verdict) })
	for i := range groups {
		r.Groups = append(r.Groups, groupOf(in, &groups[i]))
	}
	r.count(in)
	return r
}

func groupOf(in Input, g *overview.Group) Group {
	out := Group{
		Namespace: g.Namespace, Name: g.Name, Health: g.Verdict.Health(), Level: g.Verdict.Level, Message: g.Verdict.Message, Next: g.Verdict.Next,
		ManagedBy: g.Managed(), Class: g.Class, Backend: g.Backend,
		ScheduleSeconds: g.ScheduleSeconds, LastSyncTime: g.LastSyncTime, LagSeconds: g.LagSeconds, Operations: []Operation{},
		Rehearsal: g.Rehearsal, RehearsalsUnread: g.RehearsalsUnread,
	}
	if p, led := g.Primary(); led {
		out.Primary = p.Site
	}
	out.readiness(in, g)
	operations, err := g.Timeline()
	if err != nil {
		out.Note = "its operations cannot be read: " + err.Error()
	}
	for _, op := range operations[:min(len(operations), maxOperations)] {
		out.Operations = append(out.Operations, operationOf(in, op))
	}
	out.volumes(in, g)
	return out
}

// readiness asks whether a planned failover would begin. Both sites must have answered.
func (o *Group) readiness(in Input, g *overview.Group) {
	o.Readiness.Answer = Unknown
	if o.ManagedBy != "vgr" {
		o.Note = o.ManagedBy + " moves it; kubectl vgr does not check whether that is possible"
		return
	}
	from, to, ready := in.Ready(*g)
	o.Readiness.From, o.Readiness.To, o.Readiness.Problems = from, to, recovery.Problems(ready.Checks)
	if u := ready.Unplanned; u != nil {
		o.Readiness.Unplanned = &Unplanned{Loss: u.Loss, Command: u.Command, Problems: recovery.Problems(u.Checks)}
	}
	silent := slices.ContainsFunc(in.View.Sites, func(s overview.Site) bool { return !s.Answered })
	switch {
	case len(o.Readiness.Problems) > 0:
		o.Readiness.Answer = No
	case !silent:
		o.Readiness.Answer = Yes
	}
}

func operationOf(in Input, op recovery.Operation) Operation {
	out := Operation{
		ID: op.ID, Kind: op.Kind, From: op.From.Name, To: op.To.Name, By: op.By, Started: op.Started,
		Result: cmp.Or(string(op.Result), "in flight"), DataLoss: in.Loss(op),
	}
	if d, ok := op.Duration(); ok {
		out.RecoverySeconds = new(d.Seconds())
	}
	return out
}

// volumes compares the PVCs of the sites.
func (o *Group) volumes(in Input, g *overview.Group) {
	answered := func(i int) bool { return i < len(in.View.Sites) && in.View.Sites[i].Answered }
	for _, row := range g.Rows() {
		o.PVCs++
		without := false
		var sizes []string
		differ := map[int64]bool{}
		for i, on := range row.On {
			if on.Volume == nil {
				without = without || on.Missing || answered(i) && !g.Sites[i].Exists && !g.Sites[i].Unread
				continue
			}
			if on.Volume.CapacityBytes != nil {
				differ[*on.Volume.CapacityBytes] = true
				sizes = append(sizes, fmt.Sprintf("%s on %s", overview.Size(*on.Volume.CapacityBytes), g.Sites[i].Site))
			}
		}
		if without || len(row.On) < 2 {
			o.WithoutCopy = append(o.WithoutCopy, row.PVC)
		}
		if len(differ) > 1 {
			o.SizeDifferences = append(o.SizeDifferences, row.PVC+": "+strings.Join(sizes, ", "))
		}
	}
}

// unprotected adds the PVCs of a site that are in no group, nor replicated on their own.
func (r *Report) unprotected(in Input, i int) {
	s, facts := in.View.Sites[i], in.Sites[i]
	switch {
	case !s.Answered && s.Problem != overview.SiteNotInstalled:
		return // it is said already that nothing is known of the site
	case facts.Unread != "":
		r.NotKnown = append(r.NotKnown, "which PVCs on "+s.Name+" are in no group: "+facts.Unread)
		return
	case facts.Silent != "":
		r.NotKnown = append(r.NotKnown, "PVCs on "+s.Name+" that are replicated one by one may be listed as not protected: "+facts.Silent)
	}
	in.grouped(i, facts.Single)
	for _, pvc := range facts.PVCs {
		if facts.Single[types.NamespacedName{Namespace: pvc.Namespace, Name: pvc.Name}] {
			continue
		}
		p := PVC{Site: s.Name, Namespace: pvc.Namespace, Name: pvc.Name}
		if pvc.Spec.StorageClassName != nil {
			p.StorageClass = *pvc.Spec.StorageClassName
		}
		if size, ok := pvc.Status.Capacity[corev1.ResourceStorage]; ok {
			p.Size = size.String()
		}
		r.Unprotected = append(r.Unprotected, p)
	}
}

// grouped adds the PVCs that groups have on a site.
func (in Input) grouped(i int, to map[types.NamespacedName]bool) {
	for _, g := range in.View.Groups {
		for _, v := range g.Sites[i].Volumes {
			to[types.NamespacedName{Namespace: g.Namespace, Name: v.Name}] = true
		}
	}
}

func (r *Report) count(in Input) {
	r.Summary = Summary{Groups: len(r.Groups), Unprotected: Count{Count: len(r.Unprotected)}}
	for i, s := range in.View.Sites {
		silent := !s.Answered && s.Problem != overview.SiteNotInstalled
		r.Summary.WithoutCopy.AtLeast = r.Summary.WithoutCopy.AtLeast || silent
		r.Summary.Unprotected.AtLeast = r.Summary.Unprotected.AtLeast || silent || in.Sites[i].Unread != ""
	}
	for _, g := range r.Groups {
		if g.Level == overview.OK {
			r.Summary.Protected++
		}
		switch {
		case len(g.RehearsalsUnread) > 0: // a later one may have passed, or failed
			r.Summary.Rehearsed.AtLeast = true
		case g.Rehearsal != nil && g.Rehearsal.Result == rehearsal.Passed:
			r.Summary.Rehearsed.Count++
		}
		if g.Readiness.Answer == Yes {
			r.Summary.CanFailOver++
		}
		r.Summary.PVCs += g.PVCs
		r.Summary.WithoutCopy.Count += len(g.WithoutCopy)
	}
}
