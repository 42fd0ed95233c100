// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// judged is a group with all that its verdict depends on.
type judged struct {
	*Group
	sites []SiteInput
	views []state.View // in the order of the sites
	now   time.Time
}

// judge finds the phase of a group, the worst that is true, and what it means for the application.
func judge(g *Group, sites []SiteInput, now time.Time) Verdict {
	j := judged{Group: g, sites: sites, views: make([]state.View, len(g.copies)), now: now}
	for i, c := range g.copies {
		j.views[i] = state.Of(c)
	}
	v := j.phase()
	v.Impact = j.impact(v.Phase)
	return v
}

// phase returns the verdict of the worst phase that is true.
func (j judged) phase() Verdict {
	blind := j.blind()
	v := j.nativeVerdict(j.first())
	if blind == nil {
		return v
	}
	if rank(v.Phase) >= rank(Unknown) {
		return *blind
	}
	v.Message += "; " + blind.Message
	return v
}

// first returns the first rule that holds.
func (j judged) first() Verdict {
	for _, rule := range []func(judged) *Verdict{
		judged.splitBrain, judged.noPrimary, judged.failed, judged.degraded, judged.unreachable, judged.unpaired, judged.terminating, judged.partlyProtected,
		judged.transitioning, judged.resyncing, judged.unproven, judged.lagging, judged.guarded,
	} {
		if v := rule(j); v != nil {
			if p, ok := j.Primary(); ok && (v.Phase == Unknown || v.Phase == Lagging) { // some backends never say more
				v.Message += j.smaller(p)
			}
			return *v
		}
	}
	p, _ := j.Primary()
	v := Verdict{Level: OK, Phase: Protected, Message: p.Site + " is primary and replicates in time"}
	if j.LagSeconds == nil {
		v.Message = p.Site + " is primary, and its storage says that the link is in sync; it does not say since when"
	}
	if r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating); r != nil && r.Reason == vgrv1.ReasonStatusNotReported {
		v.Message += ", by the age of its last synchronisation: the driver does not report whether it replicates"
	}
	v.Message += j.notValidated() + j.smaller(p)
	return v
}

// smaller names PVCs that were resized on the primary only.
func (j judged) smaller(p GroupSite) string {
	var text strings.Builder
	for _, s := range j.Sites {
		for _, x := range state.SmallerCopies(p.Volumes, s.Volumes) {
			fmt.Fprintf(&text, "; PVC %s was resized: it has %s on %s, its copy on %s has %s", x.PVC, x.Source, p.Site, s.Site, x.Copy)
		}
	}
	return text.String()
}

// rank orders phases, the worst first.
func rank(h Phase) int {
	for i, x := range []Phase{
		SplitBrain, NoPrimary, Failed, Degraded, Unreachable, Unpaired, Terminating, PartlyProtected, Unknown, Transitioning, Resyncing, Lagging, Guarded, Protected,
	} {
		if x == h {
			return i
		}
	}
	return 0
}

// inFlight reports whether an operation is in flight.
func (j judged) inFlight() bool { return j.Operation != nil && j.Operation.Result == "" }

// noPrimary holds only when both sites were seen and neither is to become primary.
func (j judged) noPrimary() *Verdict {
	if len(j.Sites) < 2 {
		return nil
	}
	refused, why := "", ""
	for i, s := range j.Sites {
		if !j.sites[i].Answered || !s.Exists || s.State != vgrv1.StateSecondary || j.views[i].AskedToLead() {
			return nil
		}
		if s.Guarded {
			refused, why = s.Site, "Git or another tool asks for primary on "+s.Site
			if s.Ready.Reason == vgrv1.ReasonRoleChangedOutside {
				why = "the storage of " + s.Site + " gave up the role that it had confirmed"
			}
		}
	}
	v := &Verdict{
		Level: Problem, Phase: NoPrimary, Message: "both sites are secondary: no application can write",
		Next: j.each("; or ", func(site string) string { return j.command("promote", " --context "+j.flag(site)) }),
	}
	if refused != "" {
		v.Message += "; " + why + ", and the controller refuses until it is confirmed that the other site has given up the role"
		v.Next = j.command("promote", " --context "+j.flag(refused))
	}
	if j.inFlight() {
		v.Message += "; " + j.Operation.words()
		v.Next = "if its process has ended: " + j.Operation.ResumeCommand
	}
	return v
}

// failed holds when a site cannot reach what it is asked for. What the guard refuses is no failure.
func (j judged) failed() *Verdict {
	for i, s := range j.Sites {
		if s.Exists && s.Ready.Status == metav1.ConditionFalse && !state.Calm(s.Ready.Reason) && !s.Guarded && !j.binding(i) {
			v := &Verdict{Level: Problem, Phase: Failed, Message: fmt.Sprintf("%s reports %s: %s%s", s.Site, s.Ready.Reason, s.Ready.Message, j.refusal(i))}
			if next, hint := j.mendCopy(i), j.views[i].Stalled(); next != "" && hint != "" && j.stays(i) {
				v.Message += "; " + hint
				v.Next = fmt.Sprintf("see that rbd-mirror runs on %s; %s", s.Site, next)
			}
			if s.Ready.Reason == vgrv1.ReasonRoleChangedOutside {
				v.Next = j.takeRole(i)
			}
			return v
		}
		if text := j.refusal(i); text != "" && !s.Deleting && !j.views[i].Settled() {
			return &Verdict{Level: Problem, Phase: Failed, Message: fmt.Sprintf("%s reports: %s%s", s.Site, s.Ready.Message, text)}
		}
		if apart := j.views[i].Apart(); len(apart) > 0 && s.Desired == vgrv1.Primary && j.stays(i) {
			return &Verdict{
				Level: Problem, Phase: Failed, Message: fmt.Sprintf("%s cannot be written on %s: it is Secondary, and the group is to be primary", volumeNames(apart), s.Site),
			}
		}
	}
	return nil
}

// binding reports whether PVCs are not bound yet because they are new.
func (j judged) binding(i int) bool {
	if j.Sites[i].Ready.Reason != vgrv1.ReasonVolumeNotBound {
		return false
	}
	age, known := state.Age(clockOf(j.sites, j.Sites[i].Site, j.now), &j.views[i].Ready().LastTransitionTime)
	return known && age <= between
}

// takeRole returns what to do about a copy whose storage has made it primary.
func (j judged) takeRole(i int) string {
	if p, ok := j.Primary(); ok && p.Site == j.Sites[i].Site {
		return "to keep that: " + j.command("promote", " --context "+j.flag(p.Site))
	}
	return j.mendCopy(i)
}

// refusal says that the backend has refused to enable replication on a site.
func (j judged) refusal(i int) string {
	c := j.views[i].Condition(vgrv1.ConditionValidated)
	if c == nil || c.Status != metav1.ConditionFalse {
		return ""
	}
	return "; the backend has refused what was asked for (Validated is False): " + c.Message
}

// notValidated names an old refusal of a pair that works: backends do not take it back.
func (j judged) notValidated() string {
	var text strings.Builder
	for i, s := range j.Sites {
		if refusal := j.refusal(i); refusal != "" {
			text.WriteString("; on " + s.Site + ", " + strings.TrimPrefix(refusal, "; "))
		}
	}
	return text.String()
}

// degraded judges errors and the primary. A Ceph secondary under a live primary is always Degraded and
// Resyncing, which says nothing. An array that judges the link by itself gives reasons of its own, and those count
// on a secondary too.
func (j judged) degraded() *Verdict {
	for i, s := range j.Sites {
		if text := j.views[i].Broken(); text != "" {
			return &Verdict{
				Level: Problem, Phase: Degraded, Message: fmt.Sprintf("the copy on %s has an error and does not follow: %s", s.Site, text),
				Next: j.mendCopy(i),
			}
		}
		d := j.views[i].Condition(vgrv1.ConditionDegraded)
		judgesLink := j.views[i].LinkTrouble() != "" && !j.inFlight()
		if d != nil && d.Status == metav1.ConditionTrue && (s.State == vgrv1.StatePrimary || judgesLink) {
			return &Verdict{Level: Problem, Phase: Degraded, Message: fmt.Sprintf("%s reports: %s", s.Site, d.Message)}
		}
		if r := j.views[i].Condition(vgrv1.ConditionReplicating); r != nil && r.Status == metav1.ConditionFalse {
			return &Verdict{Level: Problem, Phase: Degraded, Message: fmt.Sprintf("%s reports: %s", s.Site, r.Message)}
		}
	}
	return nil
}

func (j judged) unreachable() *Verdict {
	var asking *Verdict
	for _, s := range j.sites {
		switch {
		case s.Problem == SiteAsking:
			asking = &Verdict{Level: Warning, Phase: Unknown, Message: s.Name + " " + s.Message}
		case !s.Answered:
			return &Verdict{Level: Problem, Phase: Unreachable, Message: s.Away() + j.application(s.Name)}
		}
	}
	return asking
}

// terminating holds when a group was deleted and stays: our controller keeps it for an operation in flight, or has
// released it, and another tool's finalizer keeps the object: its status stays as it was, and nothing keeps to it.
func (j judged) terminating() *Verdict {
	for i, s := range j.Sites {
		if j.views[i].Held() {
			v := &Verdict{Level: Problem, Phase: Terminating, Message: fmt.Sprintf("the group on %s is %s", s.Site, j.views[i].Gone())}
			if j.inFlight() {
				v.Next = j.Operation.ResumeCommand
			}
			return v
		}
		if foreign := j.views[i].Finalizers(); s.Deleting && len(foreign) > 0 && j.views[i].Released() {
			return &Verdict{
				Level: Problem, Phase: Terminating, Message: fmt.Sprintf("the group on %s is %s", s.Site, j.views[i].Gone()),
				Next: "have the tool that set the finalizer take it off" + state.WaitsFor(": ", j.copies[i]) + "; no controller manages the group until it is created again",
			}
		}
	}
	return nil
}

// partlyProtected holds when the sites have different PVCs in the group: a failover would bring a part.
func (j judged) partlyProtected() *Verdict {
	here, there := j.Sites[0].Volumes, j.Sites[1].Volumes
	sameName := func(a, b vgrv1.VolumeStatus) bool { return a.Name == b.Name }
	if !j.views[0].Current() || !j.views[1].Current() || j.volumesUnknown() || slices.EqualFunc(here, there, sameName) {
		return nil
	}
	var parts []string
	for i, s := range j.Sites {
		var only []string
		for _, v := range s.Volumes {
			if !slices.ContainsFunc(j.Sites[1-i].Volumes, func(o vgrv1.VolumeStatus) bool { return sameName(v, o) }) {
				only = append(only, v.Name)
			}
		}
		if slices.Sort(only); len(only) > 0 {
			parts = append(parts, fmt.Sprintf("only %s has %s", s.Site, strings.Join(only, ", ")))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	v := &Verdict{
		Level: Problem, Phase: PartlyProtected, Message: "the PVCs of the group differ between the sites: " + strings.Join(parts, "; "),
		Next: "label the PVCs alike on both sites, or have the missing copies made: " + j.createAgain(),
	}
	if renamed(here, there) {
		v.Next = "the copies have other names than their sources, which labels do not change: " + j.command("validate", "") + " shows what to do"
	}
	return v
}

// renamed reports whether a PVC has the same volume as one of another name on the other site.
func renamed(here, there []vgrv1.VolumeStatus) bool {
	for _, v := range here {
		if slices.ContainsFunc(there, func(o vgrv1.VolumeStatus) bool {
			return o.Name != v.Name && v.VolumeHandle != "" && o.VolumeHandle == v.VolumeHandle
		}) {
			return true
		}
	}
	return false
}

func (j judged) transitioning() *Verdict {
	if j.inFlight() {
		return &Verdict{Level: Warning, Phase: Transitioning, Message: j.Operation.words(), Next: "if its process has ended: " + j.Operation.ResumeCommand}
	}
	for i, s := range j.Sites {
		if s.Deleting {
			return &Verdict{Level: Warning, Phase: Transitioning, Message: fmt.Sprintf("the group on %s is %s: %s", s.Site, j.views[i].Gone(), s.Message)}
		}
		settled := s.Current && (s.Ready.Status == metav1.ConditionTrue || s.Ready.Reason == vgrv1.ReasonResyncing) || s.Guarded
		if !settled {
			return &Verdict{Level: Warning, Phase: Transitioning, Message: fmt.Sprintf("%s is on its way to %s: %s", s.Site, s.Desired, s.Ready.Message)}
		}
	}
	return nil
}

func (j judged) resyncing() *Verdict {
	for _, s := range j.Sites {
		if s.Desired == vgrv1.Resync {
			return &Verdict{
				Level: Warning, Phase: Resyncing, Message: fmt.Sprintf("%s copies the data again: %s", s.Site, s.Ready.Message),
				Next: j.command("demote", " --context "+j.flag(s.Site)+" ends the resync"),
			}
		}
	}
	return nil
}

// guarded holds when all is well but for a spec that the controller refuses to obey.
func (j judged) guarded() *Verdict {
	for _, s := range j.Sites {
		if s.Guarded && s.Ready.Reason == vgrv1.ReasonRoleChangedOutside {
			return &Verdict{
				Level: Warning, Phase: Guarded,
				Message: fmt.Sprintf("the spec of %s asks for primary, and its storage gave up the role that it had confirmed: it was changed outside of kubectl vgr", s.Site),
				Next:    "to keep that: " + j.command("demote", " --context "+j.flag(s.Site)),
			}
		}
		if s.Guarded {
			return &Verdict{
				Level: Warning, Phase: Guarded,
				Message: fmt.Sprintf("Git or another tool asks for primary on %s; the controller refuses, and %s stays secondary", s.Site, s.Site),
				Next:    fmt.Sprintf("stop that tool, then put the spec back: %s", j.command("demote", " --context "+j.flag(s.Site))),
			}
		}
	}
	return nil
}

// unproven returns a pair that looks right and has not replicated anything yet, as far as is known.
func (j judged) unproven() *Verdict {
	unknown := func(format string, args ...any) *Verdict {
		return &Verdict{Level: Warning, Phase: Unknown, Message: fmt.Sprintf(format, args...) + j.notValidated()}
	}
	p, ok := j.Primary()
	if !ok {
		return unknown("no site is known to be primary")
	}
	for _, s := range j.Sites {
		if s.Site != p.Site && s.State != vgrv1.StateSecondary {
			return unknown("%s is not known to be secondary", s.Site)
		}
	}
	r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating)
	switch {
	case j.LagSeconds == nil && !judgedByStorage(p) && !reportsNothing(p):
		return j.unsynced(p)
	case r != nil && r.Status == metav1.ConditionUnknown && (r.Reason != vgrv1.ReasonStatusNotReported || j.ScheduleSeconds == nil):
		return unknown("%s is primary, and how far its copy is behind is not known: %s", p.Site, r.Message)
	default:
		return nil
	}
}

// unsynced returns a primary of which no synchronisation is known since it became primary. With time that
// becomes a lag.
func (j judged) unsynced(p GroupSite) *Verdict {
	v := &Verdict{Level: Warning, Phase: Unknown, Message: p.Site + " reports no completed synchronisation yet"}
	obj := j.copy(p.Site)
	now := clockOf(j.sites, p.Site, j.now)
	switch {
	case p.ClockAheadSeconds != nil:
		v.Message = state.Apart(p.Site, now, obj.Status.LastSyncTime)
		v.Next = "set the clocks of the storage and the cluster of " + p.Site
	case state.Of(obj).Unproven():
		v.Message = fmt.Sprintf("the controller on %s is older than this plugin and does not say whether the synchronisation that it reports is of the present role", p.Site)
		v.Next = "kubectl vgr install --context " + j.flag(p.Site) + " updates it"
	case j.ScheduleSeconds != nil:
		age, known := state.Age(now, obj.Status.StateSince)
		schedule := time.Duration(*j.ScheduleSeconds) * time.Second
		if late := state.Lag(age, schedule); known && late != state.InTime {
			v.Phase, v.Level = Lagging, lateLevel(late)
			v.Message = fmt.Sprintf("%s has been primary for %s and has reported no synchronisation since; the schedule is %s", p.Site, age.Round(time.Second), schedule)
			v.Next = "see whether the link between the sites is up, and the mirroring of the storage"
		}
	}
	v.Message += j.notValidated()
	return v
}

// reportsNothing reports whether the backend never tells a primary how replication goes.
func reportsNothing(p GroupSite) bool {
	r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating)
	return r != nil && r.Status == metav1.ConditionUnknown && r.Reason == vgrv1.ReasonNotReported
}

// judgedByStorage reports whether the storage itself vouches for the link, without a time.
func judgedByStorage(p GroupSite) bool {
	r := meta.FindStatusCondition(p.Conditions, vgrv1.ConditionReplicating)
	return r != nil && r.Status == metav1.ConditionTrue && r.Reason == vgrv1.ReasonLinkInSync
}

func lateLevel(l state.Lateness) Level {
	return map[state.Lateness]Level{state.InTime: OK, state.Late: Warning, state.TooLate: Problem}[l]
}

// Lateness judges the lag by the schedule.
func (g *Group) Lateness() Level {
	if g.LagSeconds == nil {
		return OK
	}
	return g.late(*g.LagSeconds)
}

// late judges a lag in seconds by the schedule of the group.
func (g *Group) late(lag int64) Level {
	if g.ScheduleSeconds == nil {
		return OK
	}
	return lateLevel(state.Lag(time.Duration(lag)*time.Second, time.Duration(*g.ScheduleSeconds)*time.Second))
}

func (j judged) lagging() *Verdict {
	level := j.Lateness()
	if level == OK {
		return nil
	}
	p, _ := j.Primary()
	return &Verdict{Level: level, Phase: Lagging, Message: fmt.Sprintf("the last synchronisation of %s is %s old; the schedule is %s",
		p.Site, time.Duration(*j.LagSeconds)*time.Second, time.Duration(*j.ScheduleSeconds)*time.Second)}
}

func (op *Operation) words() string {
	return fmt.Sprintf("the %s operation %s from %s to %s is in flight after step %s, held by %s", op.Kind, op.ID, op.From, op.To, op.Step, op.Holder)
}
