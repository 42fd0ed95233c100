// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package observed

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

func TestVerdict(t *testing.T) {
	c := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	promoted := []metav1.Condition{c("Completed", "True", "Promoted", ""), c("Degraded", "False", "Healthy", "")}
	demoted := []metav1.Condition{c("Completed", "True", "Demoted", ""), c("Degraded", "True", "VolumeDegraded", ""), c("Resyncing", "False", "NotResyncing", "")}
	resyncing := []metav1.Condition{c("Completed", "True", "Demoted", ""), c("Degraded", "True", "VolumeDegraded", ""), c("Resyncing", "True", "ResyncTriggered", "")}
	synced := []metav1.Condition{c("Completed", "True", "Demoted", ""), c("Degraded", "False", "Healthy", ""), c("Resyncing", "False", "NotResyncing", "")}
	refused := []metav1.Condition{c("Completed", "False", "FailedToDemote", "failed to demote volume"), c("Degraded", "True", "Error", "volume failed to demote: attached")}
	invalid := []metav1.Condition{
		c("Completed", "False", "FailedToPromote", "volume failed to promote"), c("Degraded", "True", "Error", "failed to enable volume replication"),
		c("Validated", "False", "PrerequisiteNotMet", "failed to meet prerequisite: parent image"),
	}
	halfway := []vgrv1.VolumeStatus{{Name: "data", State: "Primary"}, {Name: "logs", State: "Secondary"}, {Name: "tmp"}, {Name: "wal", State: "Primary"}}
	const halves = "data, wal is Primary; logs is Secondary; tmp is Unknown"
	cases := map[string]struct {
		desired vgrv1.ReplicationState
		problem *backend.Problem
		obs     backend.Observation
		want    string // status/reason, then a part of the message
	}{
		"nothing there yet":                   {desired: vgrv1.Primary, want: "False/Progressing "},
		"a problem comes first":               {desired: vgrv1.Primary, problem: backend.Problemf("NoVolumes", "no PVC"), obs: backend.Observation{Exists: true, Current: true, State: "Primary", Conditions: promoted}, want: "False/NoVolumes no PVC"},
		"promoted":                            {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, Current: true, State: "Primary", Conditions: promoted}, want: "True/Promoted "},
		"promoted, but an older wish":         {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, State: "Primary", Conditions: promoted}, want: "False/Progressing "},
		"completed by the wrong operation":    {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, Current: true, State: "Secondary", Conditions: demoted}, want: "False/Progressing "},
		"completed, but the state is unknown": {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, Current: true, State: "Unknown", Conditions: promoted}, want: "False/Progressing "},
		"demoted and degraded is ready":       {desired: vgrv1.Secondary, obs: backend.Observation{Exists: true, Current: true, State: "Secondary", Conditions: demoted}, want: "True/Demoted "},
		"secondary under a live primary":      {desired: vgrv1.Secondary, obs: backend.Observation{Exists: true, Current: true, State: "Secondary", Conditions: resyncing}, want: "True/Demoted "},
		"resync runs":                         {desired: vgrv1.Resync, obs: backend.Observation{Exists: true, Current: true, State: "Secondary", Conditions: resyncing}, want: "False/Resyncing "},
		"resync ended":                        {desired: vgrv1.Resync, obs: backend.Observation{Exists: true, Current: true, State: "Secondary", Conditions: synced}, want: "True/Resynced "},
		"demotion refused by the driver":      {desired: vgrv1.Secondary, obs: backend.Observation{Exists: true, Current: true, State: "Primary", Conditions: refused}, want: "False/FailedToDemote volume failed to demote: attached"},
		"prerequisite not met":                {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, Current: true, State: "Unknown", Conditions: invalid}, want: "False/FailedToPromote failed to enable volume replication: failed to meet prerequisite: parent image"},
		"a hidden backend error":              {desired: vgrv1.Primary, obs: backend.Observation{Exists: true, Problem: backend.Problemf("BackendError", "no driver")}, want: "False/BackendError no driver"},
	}
	for name, tc := range map[string]struct {
		obs  backend.Observation
		says string
	}{
		"volumes change their role one by one":           {backend.Observation{Exists: true, Volumes: halfway}, "waiting for the backend's answer to secondary; so far " + halves},
		"some have answered":                             {backend.Observation{Exists: true, Current: true, Volumes: halfway}, "waiting for the backend to confirm secondary; so far " + halves},
		"the same, with an error of one of them":         {backend.Observation{Exists: true, Current: true, Volumes: halfway, Conditions: refused}, "attached; the volumes have different roles: " + halves},
		"the same, with something that csi-addons hides": {backend.Observation{Exists: true, Volumes: halfway, Problem: backend.Problemf("BackendError", "no driver")}, "no driver; the volumes have different roles: " + halves},
	} {
		if got := verdict(vgrv1.Secondary, nil, tc.obs); !strings.HasSuffix(got.Message, tc.says) {
			t.Errorf("%s: %q", name, got.Message)
		}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := verdict(tc.desired, tc.problem, tc.obs)
			if s := string(got.Status) + "/" + got.Reason + " " + got.Message; !strings.HasPrefix(s, tc.want) {
				t.Errorf("got %q, want %q…", s, tc.want)
			}
		})
	}
}
