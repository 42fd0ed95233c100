// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Severity says what a check means for an operation.
type Severity string

// Severities.
const (
	CheckOK      Severity = "ok"
	CheckWarning Severity = "warning" // worth knowing; it does not stop an operation
	CheckProblem Severity = "problem" // the operation is refused
)

// Check is one pre-flight check with what was seen.
type Check struct {
	// ID is stable, for scripts.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Evidence string   `json:"evidence"`
	// Remedy is what to do; empty when all is well.
	Remedy string `json:"remedy,omitempty"`
	// Brief is the evidence without what differs from group to group, where it is told of many; empty where that is the same.
	Brief string `json:"-"`
}

// Facts are the input of the checks, beside the pair itself.
type Facts struct {
	Pair
	// Backend serves the group, with these traits; empty when it is not known.
	Backend string
	Traits  backend.Traits
	// Schedule is how often the storage synchronises; 0 when it is not known.
	Schedule time.Duration
	// Environments is what was asked of each site of the pair besides its group, in its order.
	Environments [2]Environment
	// GitOps are the tools that apply the group on each site of the pair, in its order.
	GitOps [2]gitops.Manager
	// Writers are who else wrote the journal on each site of the pair, in its order.
	Writers [2]Writer
}

// Environment are what a site has around a group.
type Environment struct {
	// Denied are the permissions that the user lacks; Unasked is why that is not known.
	Denied  []string
	Unasked string
	// Unfollowed are the permissions that the user lacks to name the volumes that others follow.
	Unfollowed []string
	// Controller is the version of the controller that runs there; NoController is why none
	// is known to run, and ControllerUnasked why that could not be asked.
	Controller        string
	NoController      string
	ControllerUnasked string
	// CopyHandles are the handles of the copies on the other site by the names of the PVCs, where the storage tells them.
	CopyHandles map[string]string
	// Unconnected is why the backend does not reach the driver of the group's volumes; empty when it does, or when that
	// is not known.
	Unconnected string
}

// Checks checks everything that an operation needs. It never fails: what is not
// known is a finding as well.
func Checks(f Facts, op Operation) []Check {
	c := checker{facts: f, op: op, from: f.Site(op.From), to: f.Site(op.To)}
	c.identity()
	c.answers()
	if c.from.Group != nil || c.to.Group != nil {
		if f.Backend == "" { // and with it the order of the steps
			c.add("backend", CheckProblem, c.facts.statusCommand()+" shows what the controllers say", "the backend of the group is not known")
		}
		c.groups()
		c.obstacles()
		c.terminating()
		c.members()
		c.sizes()
		c.roles()
		c.health()
		c.synchronised()
		if !op.Discard && !op.SpecOnly && op.Kind != Promote { // what is discarded, or was demoted before, has no lag that matters
			c.lag()
		}
		if op.Kind != Promote && op.Kind != Resync && !op.SpecOnly {
			c.usersOn(c.from)
		}
		if op.Discard { // it gives up its role first
			c.usersOn(c.to)
		}
		c.operation()
		c.writers()
		c.guard()
		c.gitops()
	}
	c.permissions()
	c.controllers()
	c.drivers()
	return c.checks
}

// drivers looks at what the backends reach: one that does not reach its driver is silent.
func (c *checker) drivers() {
	for i := range c.facts.Sites {
		s := &c.facts.Sites[i]
		if trouble := c.facts.Environments[i].Unconnected; trouble != "" {
			severity := c.unlessLost(s)
			if c.op.Kind == Unplanned { // it cannot wait until that is mended
				severity = CheckWarning
			}
			c.add("driver", severity, "kubectl get csiaddonsnodes -A --context "+s.kubectl()+" shows what csi-addons reaches", "the backend on %s does not reach its driver: %s", s.Name, trouble)
		}
	}
}

// Resumed checks what an operation needs that is in flight already. What the sites are like in the middle of
// it is for Next to judge.
func Resumed(f Facts, op Operation) []Check {
	c := checker{facts: f, op: op, from: f.Site(op.From), to: f.Site(op.To)}
	c.identity()
	if f.Backend == "" && (c.from.Group != nil || c.to.Group != nil) {
		c.add("backend", CheckProblem, c.facts.statusCommand()+" shows what the controllers say", "the backend of the group is not known")
	}
	c.writers()
	c.permissions()
	return c.checks
}

// Problems returns the checks that refuse an operation.
func Problems(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Severity != CheckProblem })
}

type checker struct {
	facts    Facts
	op       Operation
	from, to *Site
	checks   []Check
}

func (c *checker) add(id string, s Severity, remedy, format string, args ...any) {
	c.checks = append(c.checks, Check{ID: id, Severity: s, Evidence: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (c *checker) ok(id, format string, args ...any) { c.add(id, CheckOK, "", format, args...) }

// unlessLost returns a problem, unless the operation does without the site that the check is about.
func (c *checker) unlessLost(s *Site) Severity {
	if c.op.doesWithout(s.SiteRef) {
		return CheckWarning
	}
	return CheckProblem
}

// DoesWithout reports whether an operation does not need a site of a pair.
func (op *Operation) DoesWithout(p *Pair, s *Site) bool {
	return !op.Aborting && (op.doesWithout(op.From) && p.Site(op.From) == s || op.doesWithout(op.To) && p.Site(op.To) == s)
}

// doesWithout reports whether an operation does not need a site.
func (op *Operation) doesWithout(s SiteRef) bool {
	switch {
	case op.Kind == Unplanned, op.Kind == Promote && op.Force:
		return s == op.From
	case op.Kind == Demote:
		return s == op.To
	default:
		return false
	}
}

func (c *checker) both() []*Site { return []*Site{c.from, c.to} }

func (c *checker) identity() {
	switch {
	case c.from.Cluster == "" || c.to.Cluster == "":
		c.unidentified()
	case c.from.Cluster == c.to.Cluster:
		c.add("identity", CheckProblem, "name the other site with --peer-context", "%s and %s are the same cluster", c.from.Name, c.to.Name)
	default:
		c.ok("identity", "two clusters: %s and %s", c.from.Name, c.to.Name)
	}
	for i, s := range c.both() {
		if s.Group == nil {
			continue
		}
		other := c.both()[1-i]
		if uid := s.Group.Annotations[vgrv1.AnnotationPeerClusterUID]; uid != "" && other.Cluster != "" && uid != other.Cluster {
			c.add("identity", CheckProblem, "name the right site with --peer-context", "%s is not the cluster that the group on %s is paired with", other.Name, s.Name)
		}
	}
}

// unidentified tells which cluster is not known, unless it is silent: then a check says that.
func (c *checker) unidentified() {
	var silent, denied []string
	for _, s := range c.both() {
		switch {
		case s.Cluster != "":
		case s.Answered:
			denied = append(denied, s.Name)
		default:
			silent = append(silent, s.Name)
		}
	}
	if len(denied) > 0 {
		c.add("identity", c.unlessLost(c.from), "allow get on the namespace kube-system", "the cluster of %s could not be identified", strings.Join(denied, " and of "))
		return
	}
	c.add("identity", c.unlessLost(c.from), "", "the cluster of %s could not be identified, since it does not answer", strings.Join(silent, " and of "))
}

func (c *checker) answers() {
	for _, s := range c.both() {
		switch {
		case !s.Answered:
			remedy := ""
			if c.op.Kind == Planned && s == c.from {
				remedy = "if the site is lost: failover --unplanned"
			}
			c.add("reachable", c.unlessLost(s), remedy, "%s", s.silence())
		case c.op.Kind == Unplanned && s == c.from:
			remedy := "a planned failover loses nothing; leave out --unplanned"
			if len(Doubts(c.facts, c.op)) > 0 {
				remedy = "if its storage works too, leave out --unplanned: a planned failover loses nothing"
			}
			c.add("reachable", CheckWarning, remedy, "%s answers", s.Name)
		default:
			c.ok("reachable", "%s answers", s.Name)
		}
	}
}

func (c *checker) groups() {
	for _, s := range c.both() {
		if !s.Answered {
			continue
		}
		switch {
		case s.Group == nil:
			c.add("group", c.unlessLost(s), "kubectl vgr create prepares both sites with --peer-context", "there is no group on %s", s.Name)
		case s.leaving():
			c.add("group", c.unlessLost(s), "", "the group is being deleted on %s", s.Name)
		case s.guarded() && s.view().ReadyReason() == vgrv1.ReasonRoleChangedOutside:
			c.add("current", CheckWarning, c.facts.demoteCommand(s)+" puts the spec back, if the other site is primary", "%s is secondary, and its spec asks for primary: %s", s.Name, s.says())
		case s.guarded():
			c.add("current", CheckWarning, "stop the tool that asks for it; "+c.facts.demoteCommand(s)+" puts the spec back", "the spec on %s asks for primary, and the controller does not obey: %s", s.Name, s.says())
		case c.keeps(s):
			c.add("current", CheckWarning, "stop the tool that asks for it", "the spec on %s asks for secondary, and the controller does not obey: %s", s.Name, s.says())
		case !s.current():
			c.add("current", c.unlessLost(s), c.facts.statusCommand()+" shows when it is", "%s has not answered the last change yet: %s", s.Name, s.says())
		default:
			c.ok("current", "%s has answered the present spec: %s", s.Name, s.says())
		}
	}
}

// obstacles are what keeps the controller of a site from asking the backend for anything, after the spec was written. For
// other reasons that need you, the backend's objects that exist still follow the spec.
func (c *checker) obstacles() {
	none := []string{vgrv1.ReasonObjectConflict, vgrv1.ReasonSourceInvalid, vgrv1.ReasonBackendNotInstalled, vgrv1.ReasonBackendUnknown}
	for _, s := range c.both() {
		r := s.ready()
		if r == nil || r.Status == metav1.ConditionTrue || !slices.Contains(none, r.Reason) {
			continue
		}
		c.add("obstacle", c.unlessLost(s), fmt.Sprintf("fix that on %s; kubectl vgr status %s -n %s shows when it is fixed", s.Name, c.facts.Name, c.facts.Namespace),
			"the controller on %s asks the backend for nothing: %s", s.Name, s.says())
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (c *checker) roles() {
	switch c.op.Kind {
	case Demote, Promote, Resync: // Begin has refused what does not fit
		c.ok("roles", "%s is %s, %s is %s", c.from.Name, stateWord(c.from), c.to.Name, stateWord(c.to))
		return
	case Unplanned:
		if c.to.desired() == vgrv1.Secondary || c.to.guarded() {
			c.ok("roles", "%s is to be a secondary", c.to.Name)
		} else {
			c.add("roles", CheckProblem, "", "%s is asked to be %s", c.to.Name, c.to.desired())
		}
		return
	default:
	}
	switch {
	case (c.from.is(vgrv1.Primary) || c.keeps(c.from)) && (c.to.demoted() || c.op.Kind == Failback):
		c.ok("roles", "%s is primary, %s is %s", c.from.Name, c.to.Name, strings.ToLower(string(c.to.state())))
	case c.from.demoted() && c.to.demoted() && c.facts.Traits.ConfirmsSync:
		c.add("roles", CheckWarning, "", "both sites are secondary: no application can write until %s is promoted", c.to.Name)
	default:
		c.add("roles", CheckProblem, c.facts.statusCommand()+" shows both sites", "%s is %s (%s), %s is %s (%s)",
			c.from.Name, stateWord(c.from), c.from.says(), c.to.Name, stateWord(c.to), c.to.says())
	}
}

func stateWord(s *Site) string {
	if s.state() == "" {
		return "unknown"
	}
	return strings.ToLower(string(s.state()))
}

func (c *checker) health() {
	for _, s := range c.both() {
		if s.Group == nil {
			continue
		}
		if v := s.view().Condition(vgrv1.ConditionValidated); v != nil && v.Status == metav1.ConditionFalse {
			c.add("validated", CheckWarning, "", "the backend has refused what was asked for on %s (Validated is False): %s", s.Name, v.Message)
		}
	}
	if trouble := c.to.view().LinkTrouble(); trouble != "" && c.to.state() == vgrv1.StateSecondary {
		// A warning: right after a change of roles the array's word may be of before it.
		c.add("health", CheckWarning, "see whether the link between the sites is up", "the controller on %s says: %s", c.to.Name, trouble)
	}
	if fault := c.to.fault(); fault != "" {
		severity := c.unlessLost(c.to)
		if c.op.Discard {
			severity = CheckWarning // the operation repairs that
		}
		c.add("health", severity, "", "%s", fault)
	} else if fault := c.from.fault(); fault != "" {
		severity := c.unlessLost(c.from)
		if c.op.Kind == Promote && c.to.state() == vgrv1.StatePrimary {
			severity = CheckWarning // the storage has changed the role already: only then can the copy be made anew
		}
		c.add("health", severity, c.facts.statusCommand()+" shows both sites", "%s", fault)
	} else if c.from.Group != nil && c.from.state() != vgrv1.StateSecondary {
		c.replicating()
	}
}

// replicating checks what the backend says of the replication away from the source.
func (c *checker) replicating() {
	r := c.from.view().Condition(vgrv1.ConditionReplicating)
	switch {
	case r != nil && r.Status == metav1.ConditionFalse && c.op.Discard && c.facts.Traits.HandsOver:
		c.add("health", CheckWarning, "", "the controller on %s says: %s", c.from.Name, r.Message) // the operation repairs that
	case r != nil && r.Status == metav1.ConditionFalse:
		c.add("health", c.unlessLost(c.from), "see whether the link between the sites is up", "the controller on %s says: %s", c.from.Name, r.Message)
	case r != nil && r.Status == metav1.ConditionTrue:
		c.ok("health", "the controller on %s says: %s", c.from.Name, r.Message)
	case r != nil:
		c.add("health", CheckWarning, "", "the controller on %s says: %s", c.from.Name, r.Message)
	default:
		c.add("health", CheckWarning, "", "%s does not say whether it replicates", c.from.Name)
	}
}

// synchronised looks for the proof that a demotion needs. It is waited for where it is missing.
func (c *checker) synchronised() {
	handsIn := c.op.Kind == Planned || c.op.Kind == Failback || c.op.Kind == Demote
	switch {
	case !c.facts.Traits.ConfirmsSync || !handsIn || c.op.Force || c.op.SpecOnly || !c.from.askedToLead():
	case c.from.replicated():
		c.ok("sync", "%s has synchronised since it became primary", c.from.Name)
	case c.from.Group != nil && c.from.Unwatched && c.from.Group.Status.StateSince == nil:
		c.add("sync", CheckWarning, "the operation waits for it before it changes a role; --abort undoes it at any time before that", "%s", c.from.unreplicated(0, c.facts.Traits))
	case c.from.Group == nil || c.from.Group.Status.StateSince == nil:
		c.add("sync", CheckProblem, "kubectl vgr install", "%s", c.from.unreplicated(0, c.facts.Traits))
	default:
		remedy := "the operation waits for it before it changes a role; --abort undoes it at any time before that"
		c.add("sync", CheckWarning, remedy, "%s", c.from.unreplicated(c.facts.Schedule, c.facts.Traits))
		if c.checks[len(c.checks)-1].Brief = c.from.Name + " has not synchronised since it became primary, which takes up to two schedules"; c.from.view().Doubt() != "" {
			c.checks[len(c.checks)-1].Brief = "the storage of " + c.from.Name + " does not confirm that it still synchronises"
		}
	}
}

func (c *checker) lag() {
	loss, last := LossOf(c.from, c.to)
	apart := clocksApart(c.from, c.to)
	switch {
	case loss.Unknown && apart != "":
		c.add("lag", CheckWarning, "set the clocks of the storage and the cluster", "%s", apart)
	case loss.Unknown:
		c.add("lag", CheckWarning, "", "the last synchronisation is not known")
	case state.Lag(loss.Age, c.facts.Schedule) == state.TooLate:
		c.add("lag", c.unlessLost(c.from), "see whether the link between the sites is up", "the last synchronisation is %s old (%s); the schedule is %s",
			loss.Age.Round(time.Second), last.UTC().Format(time.RFC3339), c.facts.Schedule)
	case state.Lag(loss.Age, c.facts.Schedule) == state.Late:
		c.add("lag", CheckWarning, "", "the last synchronisation is %s old; the schedule is %s", loss.Age.Round(time.Second), c.facts.Schedule)
	default:
		c.ok("lag", "the last synchronisation is %s old", loss.Age.Round(time.Second))
	}
}

func (c *checker) operation() {
	op, err := Newest(c.facts.Pair)
	switch {
	case err != nil:
		c.add("operation", CheckProblem, discardCommand(&c.facts.Pair), "%s", err)
	case op.InFlight():
		c.add("operation", CheckWarning, strings.Join(op.Ways(c.facts.Namespace, c.facts.Name), "; or "), "%s is in flight, begun by %s", op, op.By)
	default:
		c.ok("operation", "no operation is in flight")
	}
}

func (c *checker) permissions() {
	for i, a := range c.facts.Environments {
		s := &c.facts.Sites[i]
		if !s.Answered {
			continue
		}
		if follows := c.op.Kind == Planned || c.op.Kind == Failback || c.op.Kind == Resync; follows && !c.op.Aborting && len(a.Unfollowed) > 0 {
			severity := CheckProblem
			if c.op.asked(StepPromote) { // the target is to be primary in any case
				severity = CheckWarning
			}
			c.add("permissions", severity, "ask for the permission on "+s.Name, "you may not %s on %s, so you cannot have volumes follow the new primary", strings.Join(a.Unfollowed, ", "), s.Name)
		}
		switch {
		case a.Unasked != "":
			c.add("permissions", CheckWarning, "", "could not check your permissions on %s: %s", s.Name, a.Unasked)
		case len(a.Denied) > 0:
			c.add("permissions", c.unlessLost(s), "ask for the permission on "+s.Name, "you may not %s on %s", strings.Join(a.Denied, ", "), s.Name)
		default:
			c.ok("permissions", "you may do all that is needed on %s", s.Name)
		}
	}
}

func (c *checker) controllers() {
	for i, a := range c.facts.Environments {
		s := &c.facts.Sites[i]
		if !s.Answered || s.Unwatched {
			continue
		}
		switch {
		case a.ControllerUnasked != "":
			c.add("controller", c.unlessLost(s), "run the same command again, or allow get on the Lease vgr-system/vgr-controller of "+s.Name,
				"could not check whether a controller runs on %s: %s", s.Name, a.ControllerUnasked)
		case a.NoController != "":
			c.add("controller", c.unlessLost(s), "kubectl --context "+s.kubectl()+" -n vgr-system describe pods shows why vgr-controller does not run", "no controller runs on %s: %s", s.Name, a.NoController)
		default:
			c.ok("controller", "controller %s runs on %s", a.Controller, s.Name)
		}
	}
	a := c.facts.Environments
	if a[0].Controller != "" && a[1].Controller != "" && a[0].Controller != a[1].Controller {
		c.add("controller", CheckWarning, "", "the controllers are not of the same version: %s and %s", a[0].Controller, a[1].Controller)
	}
}
