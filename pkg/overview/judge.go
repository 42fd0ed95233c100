// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// judge finds the headline of a group: the worst that is true.
func judge(g Group, sites []SiteInput) Verdict {
	for _, rule := range []func(Group, []SiteInput) *Verdict{
		splitBrain, noPrimary, failed, degraded, unreachable, unpaired, moving, resyncing, unproven, lagging,
	} {
		if v := rule(g, sites); v != nil {
			return *v
		}
	}
	p, _ := g.Primary()
	if g.LagSeconds == nil {
		return Verdict{Level: OK, Headline: Protected, Message: p.Site + " is primary, and its storage says that the link is in sync; it does not say since when"}
	}
	return Verdict{Level: OK, Headline: Protected, Message: p.Site + " is primary and replicates in time"}
}

func splitBrain(g Group, _ []SiteInput) *Verdict {
	var names []string
	for _, s := range g.Sites {
		if s.State == vgrv1.StatePrimary {
			names = append(names, s.Site)
		}
	}
	if len(names) < 2 {
		return nil
	}
	v := &Verdict{
		Level: Problem, Headline: SplitBrain, Message: fmt.Sprintf("%s and %s both report primary", names[0], names[1]),
		Next: "decide which side's data to keep and demote the other",
	}
	if op := g.Operation; op != nil && op.Kind == recovery.Unplanned {
		v.Message = fmt.Sprintf("%s was given up for %s (operation %s) and is back; both report primary", op.From, op.To, op.ID)
		v.Next = fmt.Sprintf("stop what runs on %s; %s", op.From, takeBack(g, op.From))
	}
	return v
}

// takeBack is the command for a site that was given up.
func takeBack(g Group, site string) string {
	return fmt.Sprintf("kubectl vgr failback %s -n %s --to %s --discard-site %s discards what it alone has", g.Name, g.Namespace, recovery.Word(site), recovery.Word(site))
}

// noPrimary is true only when both sites were seen and neither wants to become primary.
func noPrimary(g Group, sites []SiteInput) *Verdict {
	for i, s := range g.Sites {
		if !sites[i].Answered || !s.Exists || s.State != vgrv1.StateSecondary || s.Desired == vgrv1.Primary {
			return nil
		}
	}
	if len(g.Sites) < 2 {
		return nil
	}
	v := &Verdict{
		Level: Problem, Headline: NoPrimary, Message: "both sites are secondary: nobody can write",
		Next: fmt.Sprintf("kubectl vgr promote %s -n %s --context SITE", g.Name, g.Namespace),
	}
	if op := g.Operation; op != nil && op.Result == "" {
		v.Message += "; " + op.words()
		v.Next = "if nobody is at it: " + op.GoOn
	}
	return v
}

func failed(g Group, _ []SiteInput) *Verdict {
	calm := []string{vgrv1.ReasonProgressing, vgrv1.ReasonResyncing, vgrv1.ReasonDeleting}
	for _, s := range g.Sites {
		if s.Exists && s.Ready.Status == metav1.ConditionFalse && !slices.Contains(calm, s.Ready.Reason) {
			return &Verdict{Level: Problem, Headline: Failed, Message: fmt.Sprintf("%s: %s: %s", s.Site, s.Ready.Reason, s.Ready.Message)}
		}
	}
	return nil
}

// degraded looks at errors and at the primary. A Ceph secondary under a live primary is always
// Degraded and Resyncing, which says nothing; only an error of it counts.
func degraded(g Group, _ []SiteInput) *Verdict {
	for _, s := range g.Sites {
		d := meta.FindStatusCondition(s.Conditions, vgrv1.ConditionDegraded)
		bad := d != nil && d.Status == metav1.ConditionTrue && (s.State == vgrv1.StatePrimary || d.Reason == "Error")
		if bad {
			v := &Verdict{Level: Problem, Headline: Degraded, Message: fmt.Sprintf("%s: %s", s.Site, d.Message)}
			if op := g.Operation; op != nil && op.Kind == recovery.Unplanned && op.From == s.Site {
				v.Next = takeBack(g, s.Site)
			}
			return v
		}
		if r := meta.FindStatusCondition(s.Conditions, vgrv1.ConditionReplicating); r != nil && r.Status == metav1.ConditionFalse {
			return &Verdict{Level: Problem, Headline: Degraded, Message: fmt.Sprintf("%s: %s", s.Site, r.Message)}
		}
	}
	return nil
}

func unreachable(_ Group, sites []SiteInput) *Verdict {
	var asking *Verdict
	for _, s := range sites {
		switch {
		case s.Problem == SiteAsking:
			asking = &Verdict{Level: Warning, Headline: Unknown, Message: s.Name + " " + s.Message}
		case !s.Answered:
			return &Verdict{Level: Problem, Headline: Unreachable, Message: fmt.Sprintf("%s: %s", s.Name, s.Message)}
		}
	}
	return asking
}

func unpaired(g Group, sites []SiteInput) *Verdict {
	if len(sites) < 2 {
		return &Verdict{
			Level: Warning, Headline: Unpaired, Message: "no peer site is known, so only " + sites[0].Name + " is shown",
			Next: "name the other site with --peer-context",
		}
	}
	for _, s := range g.Sites {
		if !s.Exists {
			return &Verdict{Level: Warning, Headline: Unpaired, Message: "there is no such group on " + s.Site}
		}
	}
	return nil
}

func moving(g Group, _ []SiteInput) *Verdict {
	if op := g.Operation; op != nil && op.Result == "" {
		return &Verdict{Level: Warning, Headline: Moving, Message: op.words(), Next: "if nobody is at it: " + op.GoOn}
	}
	for _, s := range g.Sites {
		if s.Deleting {
			return &Verdict{Level: Warning, Headline: Moving, Message: fmt.Sprintf("%s: being deleted: %s", s.Site, s.Message)}
		}
		settled := s.Current && (s.Ready.Status == metav1.ConditionTrue || s.Ready.Reason == vgrv1.ReasonResyncing)
		if !settled {
			return &Verdict{Level: Warning, Headline: Moving, Message: fmt.Sprintf("%s is on its way to %s: %s", s.Site, s.Desired, s.Ready.Message)}
		}
	}
	return nil
}

func resyncing(g Group, _ []SiteInput) *Verdict {
	for _, s := range g.Sites {
		if s.Desired == vgrv1.Resync {
			return &Verdict{
				Level: Warning, Headline: Resyncing, Message: fmt.Sprintf("%s: %s", s.Site, s.Ready.Message),
				Next: fmt.Sprintf("kubectl vgr demote %s -n %s --context %s ends the resync", g.Name, g.Namespace, recovery.Word(s.Site)),
			}
		}
	}
	return nil
}

// unproven is a pair that looks right and has not replicated anything yet, as far as is known.
func unproven(g Group, _ []SiteInput) *Verdict {
	p, ok := g.Primary()
	if !ok {
		return &Verdict{Level: Warning, Headline: Unknown, Message: "no site is known to be primary"}
	}
	for _, s := range g.Sites {
		if s.Site != p.Site && s.State != vgrv1.StateSecondary {
			return &Verdict{Level: Warning, Headline: Unknown, Message: s.Site + " is not known to be secondary"}
		}
	}
	if r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating); r != nil && r.Status == metav1.ConditionUnknown {
		return &Verdict{Level: Warning, Headline: Unknown, Message: fmt.Sprintf("%s: %s", p.Site, r.Message)}
	}
	if g.LagSeconds == nil && !judgedByStorage(p) {
		return &Verdict{Level: Warning, Headline: Unknown, Message: p.Site + " reports no completed synchronisation yet"}
	}
	return nil
}

// reportsNothing says whether the backend never tells a primary how replication goes.
func reportsNothing(p GroupSite) bool {
	r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating)
	return r != nil && r.Status == metav1.ConditionUnknown && r.Reason == vgrv1.ReasonNotReported
}

// judgedByStorage says whether the storage itself vouches for the link, without a time.
func judgedByStorage(p GroupSite) bool {
	r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating)
	return r != nil && r.Status == metav1.ConditionTrue && r.Reason == vgrv1.ReasonLinkInSync
}

func lagging(g Group, _ []SiteInput) *Verdict {
	if g.ScheduleSeconds == nil || g.LagSeconds == nil || *g.LagSeconds <= 2**g.ScheduleSeconds {
		return nil
	}
	level := Warning
	if *g.LagSeconds > 3**g.ScheduleSeconds {
		level = Problem
	}
	p, _ := g.Primary()
	return &Verdict{Level: level, Headline: Lagging, Message: fmt.Sprintf("the last synchronisation of %s is %s old; the schedule is %s",
		p.Site, time.Duration(*g.LagSeconds)*time.Second, time.Duration(*g.ScheduleSeconds)*time.Second)}
}

func (op *Operation) words() string {
	return fmt.Sprintf("the %s operation %s from %s to %s is in flight after step %s, held by %s", op.Kind, op.ID, op.From, op.To, op.Step, op.Holder)
}
