// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// TestLongCondition: the whole message of a condition is shown, on more lines where it must be; one that no terminal holds is cut.
func TestLongCondition(t *testing.T) {
	const long = "volume replication status is unknown: rpc error: code = NotFound desc = the peer's snapshot has no details: last sync time not found"
	for message, whole := range map[string]bool{long: true, strings.Repeat("x", 10000): false, strings.Repeat("word ", 2000): false} {
		o := scenarios()["healthy"]
		g := o.Groups[0]
		g.Sites[1].Conditions = []metav1.Condition{{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionUnknown, Reason: "Replicating", Message: message}}
		for _, width := range []int{80, 120} {
			lines, err := present.Conditions(present.Style{Width: width}, o, g, false)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) > 20 {
				t.Errorf("%d lines", len(lines))
			}
			for _, line := range lines {
				if ansi.StringWidth(line) > width {
					t.Errorf("%d columns: %q", width, line)
				}
			}
			words := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
			if strings.Contains(words, message) != whole {
				t.Errorf("%d columns: whole is %v:\n%s", width, !whole, strings.Join(lines, "\n"))
			}
		}
	}
}

// TestBrief: the PVCs of a group in a line.
func TestBrief(t *testing.T) {
	for name, want := range map[string]string{
		"healthy":   "2 PVCs: 2 primary on east, 2 follow on west; worst lag 4m",
		"lagging":   "2 PVCs: 2 primary on east, 2 follow on west; worst lag 16m",
		"differing": "4 PVCs: x 2 need you: orders-data-9 (west: image is in error state) and 1 more; 4 primary on east, 1 in error on west, 1 missing on west, 2 follow on west; worst lag 4m",
		"west-dead": "2 PVCs: 2 primary on east; worst lag 60s",
	} {
		o, ok := scenarios()[name]
		if !ok {
			t.Fatal(name)
		}
		if got := present.Brief(present.Style{}, o.Groups[0]); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := present.Brief(present.Style{}, overview.Group{}); got != "No site has told the PVCs of the group." {
		t.Error(got)
	}
}

// TestConditionSign: of a site that does not answer no condition is said to be as wanted.
func TestConditionSign(t *testing.T) {
	for name, tc := range map[string]struct{ sign, says string }{
		"healthy":   {"+", "All conditions are as wanted"},
		"west-dead": {"?", "The conditions on west are not known."},
		"failing":   {"! 2", "Conditions on east"},
	} {
		o, ok := scenarios()[name]
		if !ok {
			t.Fatal(name)
		}
		if got := present.ConditionSign(present.Style{}, o, o.Groups[0]); got != tc.sign {
			t.Errorf("%s: %q, want %q", name, got, tc.sign)
		}
		lines, err := present.Conditions(present.Style{}, o, o.Groups[0], false)
		if text := strings.Join(lines, "\n"); err != nil || !strings.Contains(text, tc.says) || name == "west-dead" && strings.Contains(text, "as wanted") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
