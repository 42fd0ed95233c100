// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// nasty clears the screen, sets its title, colours, returns, turns text around, hides, and forges a line.
const nasty = "x\x1b[2J\x1b]0;t\x07\x1b[31mSMUGGLED\x1b[0m\rover\u009b2J\u202egnorw\u202cz\u200bw\u2028\u00ad\x7f\b\x00\nFORGED"

// nastyPicture has it in every text.
func nastyPicture() overview.Overview {
	o := picture(now, overview.Site{Name: nasty, Problem: overview.SiteUnreachable, Message: nasty}, "moved")
	g := &o.Groups[0]
	g.Namespace, g.Name, g.Class, g.Backend, g.Verdict.Message, g.Verdict.Next = nasty, nasty, nasty, nasty, nasty, nasty
	g.Operation = &overview.Operation{ID: nasty, Kind: nasty, From: nasty, To: nasty, By: nasty, Step: nasty, Result: nasty, ResumeCommand: nasty}
	for i := range g.Sites {
		s := &g.Sites[i]
		s.State, s.Desired, s.Message, s.Ready, s.Exists = nasty, nasty, nasty, overview.Ready{Status: nasty, Reason: nasty, Message: nasty}, true
		s.Volumes = []vgrv1.VolumeStatus{{Name: nasty, VolumeHandle: nasty, State: nasty, Health: nasty, Message: nasty}}
		s.Conditions = []metav1.Condition{{Type: nasty, Status: nasty, Reason: nasty, Message: nasty + " "}}
	}
	return o
}

// TestHostile: nothing that the API, the kubeconfig, a command or the clipboard has does anything to the screen.
func TestHostile(t *testing.T) {
	colours := regexp.MustCompile(`\x1b\[(0|1|7|31|32|33|34|90)m`)
	size := tea.WindowSizeMsg{Width: 2000, Height: 60}
	says := func(_ context.Context, args []string, talk tui.Talk) int {
		fmt.Fprint(talk.Out, args, nasty)
		if args[0] == "promote" {
			talk.Progress([]present.Progress{{Group: nasty, State: present.ProgressRunning, Name: nasty, Says: nasty}})
			talk.Confirm(nasty)
		}
		return 0
	}
	for name, keys := range map[string]string{"groups": "", "details": "enter", "yaml": "enter o", "filter": "/", "help": "?", "looked": "v", "operations": "h", "events": "3", "conditions": "4 w", "plan": "p", "read-only": "d", "note": "f"} {
		for styled, style := range styles {
			opts := tui.Options{Style: style, Title: nasty, Here: nasty, Namespaces: true, ReadOnly: name == "read-only", Run: says}
			frame := content(drive(screen(t, opts, size, nastyPicture(), keys), tea.PasteMsg{Content: nasty}))
			for line := range strings.SplitSeq(frame, "\n") {
				left := colours.ReplaceAllString(line, "")
				if at := strings.IndexFunc(left, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }); at >= 0 {
					t.Errorf("%s, %s: %q in %q", name, styled, left[at:], line)
				}
				said := name == "looked" || name == "plan" // a command has lines of its own
				if strings.Contains(line, "\x1b[31mSMUGGLED") || strings.HasPrefix(strings.TrimSpace(left), "FORGED") && !said {
					t.Errorf("%s, %s: a colour or a line is forged: %q", name, styled, line)
				}
			}
		}
	}
}
