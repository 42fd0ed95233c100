// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// TestRefusals: a list names what a backend has refused, also of a group that is Protected, and its words draw nothing.
func TestRefusals(t *testing.T) {
	refused := []metav1.Condition{{Type: vgrv1.ConditionValidated, Status: metav1.ConditionFalse, Message: "no mirroring\x1b[2J"}}
	accepted := []metav1.Condition{{Type: vgrv1.ConditionValidated, Status: metav1.ConditionTrue, Message: "fine"}}
	o := overview.Overview{Groups: []overview.Group{
		{Namespace: "shop", Name: "db", Sites: []overview.GroupSite{{Site: "east", Conditions: accepted}, {Site: "west", Conditions: refused}}},
		{Namespace: "shop", Name: "web", Sites: []overview.GroupSite{{Site: "east", Conditions: accepted}}},
	}}
	var b strings.Builder
	present.Refusals(&b, o, present.Style{})
	got := b.String()
	if !strings.Contains(got, "shop/db: west: Validated is False: no mirroring") || strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b[2J") {
		t.Errorf("%q", got)
	}
}
