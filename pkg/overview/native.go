// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Native is the object of a group on a site that no controller of kubectl vgr manages.
type Native struct {
	// ManagedBy is who manages it, in a word.
	ManagedBy string `json:"managedBy"`
	// Keeper is the tool or object that decides over it, in words; empty for who writes it by hand.
	Keeper string `json:"keeper,omitempty"`
	// APIVersion, Kind, Namespace and Name are the object's own.
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	// Unproven is why nothing better than Unknown is said of the group.
	Unproven string `json:"unproven,omitempty"`
	// Next is the command by which who manages the object changes it, in words; empty when none is known.
	Next string `json:"next,omitempty"`
	// VolumesUnknown is true when the object does not tell which volumes it has on this site.
	VolumesUnknown bool `json:"volumesUnknown,omitempty"`
	// Movable is true when failover and the other commands that change roles work on the object, and Immovable is why they do
	// not although no other tool decides over it.
	Movable   bool   `json:"movable,omitempty"`
	Immovable string `json:"-"`
	// Unwatched is what the object says of its role that has no place in a group of ours.
	Unwatched state.Unwatched `json:"-"`
	// ScheduleSeconds is the interval of the object's class.
	ScheduleSeconds *int64 `json:"-"`
}

// String names the object.
func (n Native) String() string {
	if n.Namespace == "" {
		return n.Kind + " " + n.Name
	}
	return fmt.Sprintf("%s %s/%s", n.Kind, n.Namespace, n.Name)
}

// ResourceName names the object as kubectl get -o name does.
func (n Native) ResourceName() string {
	group, _, _ := strings.Cut(n.APIVersion, "/")
	return strings.ToLower(n.Kind) + "." + group + "/" + n.Name
}

// Managed returns who manages the group, in a word.
func (g *Group) Managed() string { return cmp.Or(g.ManagedBy, "vgr") }

// Called names the group with its namespace, if it has one.
func (g *Group) Called() string {
	if g.Namespace == "" {
		return g.Name
	}
	return g.Namespace + "/" + g.Name
}

// Refusal says why no command of kubectl vgr changes the group, and what does; empty for a group of ours.
func (g *Group) Refusal() (why, next string) {
	var told *GroupSite
	for i := range g.Sites {
		if n := g.Sites[i].Native; n != nil && (told == nil || told.Native.Keeper == "" && n.Keeper != "") {
			told = &g.Sites[i]
		}
	}
	if told == nil {
		return "", ""
	}
	n := told.Native
	owner := n.ManagedBy
	if n.Keeper != "" {
		owner += "; " + n.Keeper + " decides over it"
	} else if n.Immovable != "" {
		owner += "; " + n.Immovable
	}
	return fmt.Sprintf("group %s is not changed: it is %s on %s, managed by %s", g.Called(), n, told.Site, owner), n.Next
}

// Movable reports whether the commands that change roles work on a group that is not of kubectl vgr.
func (g *Group) Movable() bool {
	return g.ManagedBy != "" && !slices.ContainsFunc(g.Sites, func(s GroupSite) bool { return s.Native != nil && !s.Native.Movable })
}

// Checks are those of a group that another tool manages: what must be well before that tool moves it.
func (g *Group) Checks() []recovery.Check {
	severity := map[Level]recovery.Severity{OK: recovery.CheckOK, Warning: recovery.CheckWarning}[g.Verdict.Level]
	out := []recovery.Check{{ID: "health", Severity: cmp.Or(severity, recovery.CheckProblem), Evidence: fmt.Sprintf("%s: %s", g.Verdict.Health(), g.Verdict.Message), Remedy: g.Verdict.Next}}
	var roles []string
	role := recovery.CheckOK
	for _, s := range g.Sites {
		roles = append(roles, s.Site+" is "+cmp.Or(string(s.State), "not known"))
		if s.State != vgrv1.StatePrimary && s.State != vgrv1.StateSecondary {
			role = recovery.CheckWarning
		}
	}
	out = append(out, recovery.Check{ID: "roles", Severity: role, Evidence: strings.Join(roles, ", ")})
	if role != recovery.CheckOK {
		out[1].Remedy = "see the object of each site: kubectl vgr status " + recovery.ShellQuote(g.Name)
		if g.Namespace != "" {
			out[1].Remedy += " -n " + recovery.ShellQuote(g.Namespace)
		}
	}
	if why, next := g.Refusal(); why != "" {
		out = append(out, recovery.Check{ID: "managed-by", Severity: recovery.CheckWarning, Evidence: "kubectl vgr only reads it: " + strings.TrimPrefix(why, fmt.Sprintf("group %s is not changed: it is ", g.Called())), Remedy: next})
	}
	return out
}

// Object returns the first object of a group of another tool; nil of a group of ours.
func (g *Group) Object() *Native {
	for i := range g.Sites {
		if n := g.Sites[i].Native; n != nil {
			return n
		}
	}
	return nil
}

// takeNative completes a group with what is known of its objects.
func (g *Group) takeNative(sites []SiteInput) {
	defer func() {
		for i := range g.Sites {
			g.Sites[i].Unread = g.ManagedBy != "" && !g.Sites[i].Exists && sites[i].Answered && sites[i].Incomplete
		}
	}()
	for i := range g.Sites {
		n, ok := sites[i].Native[types.NamespacedName{Namespace: g.Namespace, Name: g.Name}]
		if !ok || !g.Sites[i].Exists {
			continue
		}
		if g.Sites[i].Native = &n; g.ManagedBy == "" {
			g.ScheduleSeconds = nil // of a class of ours that has the name of theirs
		}
		if by := n.ManagedBy; g.ManagedBy == "" || by != "csi-addons" {
			g.ManagedBy = by
		}
		if every := n.ScheduleSeconds; every != nil && (g.ScheduleSeconds == nil || *every > *g.ScheduleSeconds) {
			g.ScheduleSeconds = every
		}
	}
}

// volumesUnknown reports whether a site's object does not tell which volumes it has.
func (g *Group) volumesUnknown() bool {
	return slices.ContainsFunc(g.Sites, func(s GroupSite) bool { return s.Native != nil && s.Native.VolumesUnknown })
}

// nativeVerdict puts a verdict into words that fit a group of others: no command of ours changes it.
func (j judged) nativeVerdict(v Verdict) Verdict {
	if j.ManagedBy == "" {
		return v
	}
	var unproven []string
	for _, s := range j.Sites {
		if s.Native != nil && s.Native.Unproven != "" && !slices.Contains(unproven, s.Native.Unproven) {
			unproven = append(unproven, s.Native.Unproven)
		}
	}
	if text := strings.Join(unproven, "; "); text != "" {
		if rank(v.Phase) >= rank(Unknown) {
			v.Phase, v.Level, v.Message = Unknown, Warning, text
		} else if !strings.Contains(v.Message, text) {
			v.Message += "; " + text
		}
	}
	if strings.Contains(v.Next, "kubectl vgr") && (!j.Movable() || v.Phase != Transitioning) {
		v.Next = ""
	}
	return v
}

// nativeUnpaired says that a site has no object of a group of others, or that this is not known; nil when all have one.
func (j judged) nativeUnpaired() *Verdict {
	for i, s := range j.Sites {
		if s.Exists {
			continue
		}
		if at := j.sites[i]; at.Incomplete {
			return &Verdict{Level: Warning, Phase: Unknown, Message: fmt.Sprintf("whether %s has the group is not known: %s", s.Site, strings.Join(at.Unread, "; "))}
		}
		v := &Verdict{Level: Warning, Phase: Unpaired, Message: "no object that is read replicates the volumes of this group on " + s.Site}
		if ns := j.sites[i].Namespace; ns != "" {
			v.Message += " in namespace " + ns + ", the only one that may be read"
		}
		return v
	}
	return nil
}
