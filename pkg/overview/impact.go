// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Impact is what a verdict means for the application. It is empty where the phase says it, or where it is not known. It is a
// field of its own since scripts know all phases.
type Impact string

// Impacts, worst first.
const (
	// PrimaryLost is said only when both sites told their state: no site can write, and none is about to.
	PrimaryLost Impact = "PrimaryLost"
	// PrimaryUnknown is what is left when a site that may be primary is silent, or does not know its state.
	PrimaryUnknown Impact = "PrimaryUnknown"
	Blind          Impact = "Blind"       // no controller lives on a site of the group: its states are old
	Unprotected    Impact = "Unprotected" // the application can write, and no copy is known that could take over
	Unmeasured     Impact = "Unmeasured"  // the backend tells no lag: all that it tells is well
)

// impact returns what the phase means for the application.
func (j judged) impact(phase Phase) Impact {
	p, led := j.Primary()
	switch {
	case j.blind() != nil:
		return Blind
	case !led && j.leads() > 0, phase == Transitioning, j.asking():
		return ""
	case !led && j.unwritten():
		return PrimaryLost
	case !led:
		return PrimaryUnknown
	case state.Of(j.copy(p.Site)).Released():
		return ""
	case j.unprotected(p):
		return Unprotected
	case phase == Unknown && reportsNothing(p) && j.leads() == 1 && j.follow(p):
		return Unmeasured
	default:
		return ""
	}
}

// leads returns how many sites report to be primary.
func (j judged) leads() int {
	n := 0
	for _, s := range j.Sites {
		if s.State == vgrv1.StatePrimary {
			n++
		}
	}
	return n
}

// asking reports whether a site is still to answer.
func (j judged) asking() bool {
	return slices.ContainsFunc(j.sites, func(s SiteInput) bool { return s.Problem == SiteAsking })
}

// unwritten reports whether each site was seen to be secondary. A site that is silent may be primary.
func (j judged) unwritten() bool {
	for i, s := range j.Sites {
		if !j.sites[i].Answered || !s.Exists || s.State != vgrv1.StateSecondary || j.views[i].Released() {
			return false
		}
	}
	return len(j.Sites) == 2
}

// unprotected reports whether no copy of the primary is known that could take over. A site that only our login, or a
// permission, keeps from being read may have a good one.
func (j judged) unprotected(p GroupSite) bool {
	if meta.IsStatusConditionFalse(p.Conditions, vgrv1.ConditionReplicating) {
		return true
	}
	for i, s := range j.Sites {
		if s.Site == p.Site {
			continue
		}
		if !j.sites[i].Answered {
			return j.sites[i].Problem == SiteUnreachable
		}
		return !s.Exists || s.CopyError != "" || s.Desired == vgrv1.Resync
	}
	return false
}

// follow reports whether the other site says that it is the copy.
func (j judged) follow(p GroupSite) bool {
	return !slices.ContainsFunc(j.Sites, func(s GroupSite) bool {
		return s.Site != p.Site && (s.State != vgrv1.StateSecondary || s.Ready.Status != metav1.ConditionTrue)
	})
}

// application says what a silent site means for the application, as far as the other one tells.
func (j judged) application(silent string) string {
	for i, s := range j.Sites {
		switch {
		case s.Site == silent || !j.sites[i].Answered:
		case !s.Exists:
			return "; there is no such group on " + s.Site
		case s.State == vgrv1.StatePrimary && j.impact(Unreachable) == Unprotected:
			return fmt.Sprintf("; %s is primary: the application can write there, but no copy is known that could take over", s.Site)
		case s.State == vgrv1.StatePrimary:
			return fmt.Sprintf("; %s is primary: the application can write there", s.Site)
		case s.State == vgrv1.StateSecondary:
			return fmt.Sprintf("; %s is not primary, and whether %s is primary is not known", s.Site, silent)
		default:
			return fmt.Sprintf("; whether %s or %s is primary is not known", s.Site, silent)
		}
	}
	return ""
}

// Health returns a verdict in one or two words, the worse first: what it means for the application, and the phase where that
// says more.
func (v Verdict) Health() string {
	switch {
	case v.Impact == "" || v.Impact == Unprotected && v.Phase == SplitBrain:
		return string(v.Phase)
	case v.Phase == SplitBrain:
		return string(v.Phase) + ", " + string(v.Impact)
	case v.Impact == PrimaryLost && v.Phase == NoPrimary, v.Phase == Unknown:
		return string(v.Impact)
	default:
		return string(v.Impact) + ", " + string(v.Phase)
	}
}

// Word returns the first word of the health, where there is no room for more.
func (v Verdict) Word() string {
	if v.Impact == "" || v.Phase == SplitBrain {
		return string(v.Phase)
	}
	return string(v.Impact)
}

// Compare orders verdicts, the worst first.
func (v Verdict) Compare(other Verdict) int {
	return cmp.Or(
		cmp.Compare(v.urgency(), other.urgency()),
		cmp.Compare(slices.Index([]Level{Problem, Warning, OK}, v.Level), slices.Index([]Level{Problem, Warning, OK}, other.Level)),
		cmp.Compare(v.order(), other.order()),
	)
}

// urgency is how soon the application needs help.
func (v Verdict) urgency() int {
	if v.Phase == SplitBrain {
		return 0
	}
	urgent := []Impact{PrimaryLost, PrimaryUnknown, Blind, Unprotected}
	if i := slices.Index(urgent, v.Impact); i >= 0 {
		return i + 1
	}
	return len(urgent) + 1
}

// order is that of phases, and what is merely not measured is the last that is not well.
func (v Verdict) order() int {
	if v.Impact == Unmeasured {
		return rank(Protected)
	}
	return rank(v.Phase)
}
