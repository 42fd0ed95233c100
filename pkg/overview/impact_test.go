// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// side is a site that answers, whose controller lives, with a group where there is one.
func side(name string, g *vgrv1.VolumeGroupReplication) overview.SiteInput {
	in := overview.SiteInput{Site: overview.Site{Name: name, Answered: true, Controller: &overview.Controller{RenewedAt: new(metav1.NewTime(now))}}}
	if g != nil {
		in.Groups = []vgrv1.VolumeGroupReplication{*g}
	}
	return in
}

func away(name string, problem overview.SiteProblem) overview.SiteInput {
	return overview.SiteInput{Site: overview.Site{Name: name, Problem: problem, Message: "because"}}
}

func dead(in overview.SiteInput) overview.SiteInput {
	in.Controller = &overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(-time.Hour)))}
	return in
}

// TestImpact: what is wrong for the application is said only as far as the sites were seen.
func TestImpact(t *testing.T) {
	quiet := condition(vgrv1.ConditionReplicating, "Unknown", vgrv1.ReasonNotReported)
	unknown := group(vgrv1.Secondary, vgrv1.StateUnknown, 0, condition("Ready", "False", vgrv1.ReasonFailedToDemote))
	cannot := group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", vgrv1.ReasonFailedToPromote))
	released := with(primary(time.Minute), func(g *vgrv1.VolumeGroupReplication) {
		g.DeletionTimestamp, g.Finalizers = &metav1.Time{Time: now}, []string{"example.com/backup"}
	})
	for name, tc := range map[string]struct {
		east, west overview.SiteInput
		phase      overview.Phase
		impact     overview.Impact
		health     string
		message    string // what it has
	}{
		"all is well":                            {side("east", primary(time.Minute)), side("west", secondary()), overview.Protected, "", "Protected", ""},
		"it lags":                                {side("east", primary(16*time.Minute)), side("west", secondary()), overview.Lagging, "", "Lagging", ""},
		"both are primary":                       {side("east", primary(time.Minute)), side("west", primary(time.Minute)), overview.SplitBrain, "", "SplitBrain", ""},
		"both are secondary":                     {side("east", secondary()), side("west", secondary()), overview.NoPrimary, overview.PrimaryLost, "PrimaryLost", "both sites are secondary"},
		"both are secondary, and one diverged":   {side("east", secondary()), side("west", broken("split-brain")), overview.SplitBrain, overview.PrimaryLost, "SplitBrain, PrimaryLost", ""},
		"the promotion fails":                    {side("east", cannot), side("west", secondary()), overview.Failed, overview.PrimaryLost, "PrimaryLost, Failed", ""},
		"the promotion is on its way":            {side("east", group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", "Progressing"))), side("west", secondary()), overview.Transitioning, "", "Transitioning", ""},
		"the primary is silent":                  {away("east", overview.SiteUnreachable), side("west", secondary()), overview.Unreachable, overview.PrimaryUnknown, "PrimaryUnknown, Unreachable", "east does not answer: because; west is not primary, and whether east is primary is not known"},
		"the primary is silent, promotion fails": {away("east", overview.SiteUnreachable), side("west", cannot), overview.Failed, overview.PrimaryUnknown, "PrimaryUnknown, Failed", ""},
		"the primary may not be read":            {away("east", overview.SiteForbidden), side("west", secondary()), overview.Unreachable, overview.PrimaryUnknown, "PrimaryUnknown, Unreachable", "the groups on east cannot be read: because; west is not primary"},
		"the copy is silent":                     {side("east", primary(time.Minute)), away("west", overview.SiteUnreachable), overview.Unreachable, overview.Unprotected, "Unprotected, Unreachable", "west does not answer: because; east is primary: the application can write there, but no copy is known that could take over"},
		"the copy may not be read":               {side("east", primary(time.Minute)), away("west", overview.SiteNotAsked), overview.Unreachable, "", "Unreachable", "the groups on west cannot be read: because; east is primary: the application can write there"},
		"the copy is still asked":                {side("east", primary(time.Minute)), away("west", overview.SiteAsking), overview.Unknown, "", "Unknown", ""},
		"the primary is still asked":             {away("east", overview.SiteAsking), side("west", secondary()), overview.Unknown, "", "Unknown", ""},
		"one is silent, the other knows nothing": {away("east", overview.SiteUnreachable), side("west", unknown), overview.Failed, overview.PrimaryUnknown, "PrimaryUnknown, Failed", ""},
		"there is no copy":                       {side("east", primary(time.Minute)), side("west", nil), overview.Unpaired, overview.Unprotected, "Unprotected, Unpaired", ""},
		"there is a copy only":                   {side("east", secondary()), side("west", nil), overview.Unpaired, overview.PrimaryUnknown, "PrimaryUnknown, Unpaired", ""},
		"the copy has an error":                  {side("east", primary(time.Minute)), side("west", broken("daemon is gone")), overview.Failed, overview.Unprotected, "Unprotected, Failed", ""},
		"the copy has diverged":                  {side("east", primary(time.Minute)), side("west", broken("split-brain")), overview.SplitBrain, overview.Unprotected, "SplitBrain", ""},
		"the primary does not replicate":         {side("east", primary(time.Minute, condition("Replicating", "False", "NotReplicating"))), side("west", secondary()), overview.Degraded, overview.Unprotected, "Unprotected, Degraded", ""},
		"the copy is copied again":               {side("east", primary(time.Minute)), side("west", group(vgrv1.Resync, vgrv1.StateSecondary, 0, condition("Ready", "False", "Resyncing"))), overview.Resyncing, overview.Unprotected, "Unprotected, Resyncing", ""},
		"the copy's state is not known":          {side("east", primary(time.Minute)), side("west", unknown), overview.Failed, "", "Failed", ""},
		"the backend tells no lag":               {side("east", primary(0, quiet)), side("west", secondary()), overview.Unknown, overview.Unmeasured, "Unmeasured", ""},
		"no lag, and the copy is away":           {side("east", primary(0, quiet)), away("west", overview.SiteUnreachable), overview.Unreachable, overview.Unprotected, "Unprotected, Unreachable", ""},
		"not synchronised yet":                   {side("east", since(primary(0), time.Minute)), side("west", secondary()), overview.Unknown, "", "Unknown", ""},
		"the controller of the primary is dead":  {dead(side("east", primary(time.Minute))), side("west", secondary()), overview.Unknown, overview.Blind, "Blind", "the controller on east has been silent"},
		"the controller of the copy is dead":     {side("east", primary(time.Minute)), dead(side("west", secondary())), overview.Unknown, overview.Blind, "Blind", "the controller on west has been silent"},
		"a dead controller said secondary":       {dead(side("east", secondary())), side("west", secondary()), overview.NoPrimary, overview.Blind, "Blind, NoPrimary", ""},
		"a dead controller said both primary":    {dead(side("east", primary(time.Minute))), side("west", primary(time.Minute)), overview.SplitBrain, overview.Blind, "SplitBrain, Blind", ""},
		"dead here, silent there":                {dead(side("east", secondary())), away("west", overview.SiteUnreachable), overview.Unreachable, overview.Blind, "Blind, Unreachable", ""},
		"no controller manages the primary":      {side("east", released), away("west", overview.SiteUnreachable), overview.Unreachable, "", "Unreachable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
			tc.east.Classes = []vgrv1.VolumeGroupReplicationClass{class}
			v := overview.Build([]overview.SiteInput{tc.east, tc.west}, now).Groups[0].Verdict
			if v.Phase != tc.phase || v.Impact != tc.impact || v.Health() != tc.health || !strings.HasPrefix(v.Health(), v.Word()) || !strings.Contains(v.Message, tc.message) {
				t.Errorf("%s, impact %q, shown as %q: %s", v.Phase, v.Impact, v.Health(), v.Message)
			}
			swapped := overview.Build([]overview.SiteInput{tc.west, tc.east}, now).Groups[0].Verdict
			if swapped.Phase != v.Phase || swapped.Impact != v.Impact {
				t.Errorf("with the sites in the other order %s, impact %q", swapped.Phase, swapped.Impact)
			}
		})
	}
}

// TestImpactInJSON: the impact is a field of its own beside those that scripts read.
func TestImpactInJSON(t *testing.T) {
	text, err := json.Marshal(pairOf(secondary(), secondary()).Verdict)
	if want := `{"level":"problem","phase":"NoPrimary","impact":"PrimaryLost",`; err != nil || !strings.HasPrefix(string(text), want) || !strings.HasSuffix(string(text), `"headline":"NoPrimary"}`) {
		t.Errorf("%s %v", text, err)
	}
	if text, err = json.Marshal(pairOf(primary(time.Minute), secondary()).Verdict); err != nil || strings.Contains(string(text), "impact") {
		t.Errorf("%s %v", text, err)
	}
}

// TestCompare: what the application needs first is first.
func TestCompare(t *testing.T) {
	want := []overview.Verdict{
		{Phase: overview.SplitBrain, Level: overview.Problem},
		{Phase: overview.NoPrimary, Level: overview.Problem, Impact: overview.PrimaryLost},
		{Phase: overview.Failed, Level: overview.Problem, Impact: overview.PrimaryLost},
		{Phase: overview.Unreachable, Level: overview.Problem, Impact: overview.PrimaryUnknown},
		{Phase: overview.Unknown, Level: overview.Problem, Impact: overview.Blind},
		{Phase: overview.Degraded, Level: overview.Problem, Impact: overview.Unprotected},
		{Phase: overview.Unreachable, Level: overview.Problem, Impact: overview.Unprotected},
		{Phase: overview.Resyncing, Level: overview.Warning, Impact: overview.Unprotected},
		{Phase: overview.Unreachable, Level: overview.Problem},
		{Phase: overview.Lagging, Level: overview.Problem},
		{Phase: overview.Unknown, Level: overview.Warning},
		{Phase: overview.Lagging, Level: overview.Warning},
		{Phase: overview.Guarded, Level: overview.Warning},
		{Phase: overview.Unknown, Level: overview.Warning, Impact: overview.Unmeasured},
		{Phase: overview.Protected, Level: overview.OK},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, overview.Verdict.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
