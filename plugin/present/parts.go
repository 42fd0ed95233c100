// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// Step is what can be done about a group.
type Step struct {
	Key, Text string
	// Risk is true of one that may lose data.
	Risk bool
}

// Headline returns what a screen says of a group above everything else: the verdict with the lag, the next steps, the sites.
// A curve is the lag over time.
func Headline(s Style, o overview.Overview, g overview.Group, steps []Step, curve []*int64) []string {
	var b strings.Builder
	title := s.paint(bold, Clean(g.Namespace+"/"+g.Name)) + "  " + s.verdict(g.Verdict)
	lag := strings.TrimRight(LagBar(s, g)+"  "+LagCurve(s, curve), " ")
	room := s.Width - ansi.StringWidth(title) - ansi.StringWidth(lag)
	beside := room >= 3
	if beside {
		title += strings.Repeat(" ", room) + lag
	}
	fmt.Fprintln(&b, title)
	fmt.Fprintln(&b, s.wrap("  ", Clean(g.Verdict.Message)))
	if g.Verdict.Next != "" {
		fmt.Fprintln(&b, s.wrap("  ", "Next: "+Clean(g.Verdict.Next)))
	}
	s.nextSteps(&b, steps)
	var facts []string
	for i, gs := range g.Sites {
		facts = append(facts, Clean(gs.Site)+" "+siteCell(s, o, i, gs))
	}
	facts = append(facts, "last sync "+lastSync(o, g), fmt.Sprintf("%s (%s), every %s", Clean(g.Class), cmp.Or(Clean(g.Backend), "backend unknown"), schedule(g)))
	fmt.Fprintln(&b, s.wrap("  ", strings.Join(facts, "  ")))
	if !beside {
		fmt.Fprintln(&b, "  "+lag)
	}
	s.managers(&b, g)
	if op := g.Operation; op != nil && op.Result == "" {
		fmt.Fprintln(&b, s.wrap("  ", "operation "+briefly(op)))
	}
	s.rehearsals(&b, o, g)
	s.oddities(&b, g)
	s.lastSeen(&b, o, g)
	for i, gs := range g.Sites { // one that is as asked says nothing of interest; the conditions have it
		if text := siteMessage(o, i, gs, false); text != "" && gs.Ready.Status != metav1.ConditionTrue && !strings.Contains(g.Verdict.Message, text) {
			fmt.Fprintln(&b, s.wrap("  ", Clean(gs.Site+": "+text)))
		}
	}
	return lines(&b)
}

func lines(b *strings.Builder) []string { return strings.Split(strings.Trim(b.String(), "\n"), "\n") }

// nextSteps writes the next steps that the screen runs.
func (s Style) nextSteps(b *strings.Builder, steps []Step) {
	for _, step := range steps {
		for line := range strings.SplitSeq(s.Hang("  "+step.Key+" ", Clean(step.Text)), "\n") {
			if step.Risk {
				line = s.level(overview.Problem, line)
			}
			fmt.Fprintln(b, line)
		}
	}
}

// PVCs draws one row per PVC, with what is to be said of it in the row where there is room, else below. The names of those
// that have changed are in reverse video, which is seen without colours.
func PVCs(s Style, o overview.Overview, g overview.Group, wide bool, changed map[string]bool) ([]string, error) {
	rows := g.Rows()
	if len(rows) == 0 {
		return []string{"  No site has told the PVCs of the group."}, nil
	}
	var b strings.Builder
	t := s.volumeTable(o, g, rows, wide)
	for i := range rows {
		if changed[rows[i].PVC] {
			t.rows[i][0] = reversed(t.rows[i][0])
		}
	}
	noted := t
	noted.head = append(noted.head, "NOTE")
	noted.rows = make([][]string, len(rows))
	for i, r := range rows {
		noted.rows[i] = slices.Concat(t.rows[i], []string{Clean(strings.Join(r.Notes, "; "))})
	}
	noted = noted.filled("NOTE")
	if s.Width > 0 && noted.total(noted.widths()) <= s.Width {
		err := noted.write(&b)
		return lines(&b), err
	}
	err := t.write(&b)
	s.notes(&b, rows)
	return lines(&b), err
}

// Troubled returns how many PVCs a group has, and how many of them need their user.
func Troubled(g overview.Group) (all, troubled int) {
	rows := g.Rows()
	for i := range rows {
		if rows[i].Trouble {
			troubled++
		}
	}
	return len(rows), troubled
}

// Brief tells the PVCs of a group in a line: which need their user, how many are what on which site, and the worst lag.
func Brief(s Style, g overview.Group) string {
	rows := g.Rows()
	if len(rows) == 0 {
		return "No site has told the PVCs of the group."
	}
	text := fmt.Sprintf("%d PVCs: ", len(rows))
	if len(rows) == 1 {
		text = "1 PVC: "
	}
	if _, n := Troubled(g); n > 0 {
		needs := "need"
		if n == 1 {
			needs = "needs"
		}
		first := Clean(rows[0].PVC)
		if len(rows[0].Notes) > 0 {
			first += " (" + Clean(rows[0].Notes[0]) + ")"
		}
		if n > 1 {
			first += fmt.Sprintf(" and %d more", n-1)
		}
		text += s.level(overview.Problem, fmt.Sprintf("%s %d %s you: %s", s.icon(overview.Problem), n, needs, first)) + "; "
	}
	var parts []string
	for i, gs := range g.Sites {
		parts = append(parts, tally(rows, i, gs.Site)...)
	}
	return text + strings.Join(parts, ", ") + s.worstLag(rows)
}

// tally counts what PVCs are on a site.
func tally(rows []overview.Row, i int, site string) []string {
	var words []string
	counts := map[string]int{}
	for _, r := range rows {
		on := r.On[i]
		word := ""
		switch {
		case on.Missing:
			word = "missing"
		case on.Volume == nil:
			continue
		case on.Follows:
			word = "follow"
		case on.Volume.Health == vgrv1.HealthError:
			word = "in error"
		default:
			word = strings.ToLower(Clean(string(cmp.Or(on.Volume.State, vgrv1.StateUnknown))))
		}
		if counts[word] == 0 {
			words = append(words, word)
		}
		counts[word]++
	}
	for n, word := range words {
		words[n] = fmt.Sprintf("%d %s on %s", counts[word], word, Clean(site))
	}
	return words
}

func (s Style) worstLag(rows []overview.Row) string {
	var worst int64
	late, unknown := overview.OK, 0
	for _, r := range rows {
		if r.LagSeconds == nil {
			unknown++
		} else if *r.LagSeconds >= worst {
			worst, late = *r.LagSeconds, r.Late
		}
	}
	if unknown == len(rows) {
		return "; lag unknown"
	}
	text := "worst lag " + duration.HumanDuration(time.Duration(worst)*time.Second)
	if late != overview.OK {
		text = s.level(late, text)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", of %d unknown", unknown)
	}
	return "; " + text
}

// Conditions draws the sites of a group with what they say, and those of its conditions that are not as wanted, or all.
func Conditions(s Style, o overview.Overview, g overview.Group, wide bool) ([]string, error) {
	var b strings.Builder
	if err := s.sites(&b, o, g); err != nil {
		return nil, err
	}
	s.said(&b, o, g, wide)
	if err := s.conditions(&b, o, g, wide); err != nil {
		return nil, err
	}
	if Matter(g) > 0 || wide {
		return lines(&b), nil
	}
	b.WriteByte('\n')
	switch all, silent := told(o, g); {
	case len(silent) > 0:
		fmt.Fprintln(&b, s.wrap("  ", "The conditions on "+strings.Join(silent, " and ")+" are not known."))
	case all == 0:
		b.WriteString("  No site has told a condition.\n")
	default:
		b.WriteString("  All conditions are as wanted; w shows them.\n")
	}
	return lines(&b), nil
}

// told counts the conditions of a group, and returns the sites whose conditions are not known.
func told(o overview.Overview, g overview.Group) (all int, silent []string) {
	for i, gs := range g.Sites {
		all += len(gs.Conditions)
		if !o.Sites[i].Answered || gs.Unread {
			silent = append(silent, Clean(gs.Site))
		}
	}
	return all, silent
}

// ConditionSign tells the conditions of a group in a sign: how many are not as wanted, or whether all are.
func ConditionSign(s Style, o overview.Overview, g overview.Group) string {
	if n := Matter(g); n > 0 {
		return s.Verdict(overview.Warning, strconv.Itoa(n))
	}
	if all, silent := told(o, g); all == 0 || len(silent) > 0 {
		return "?"
	}
	return s.Sign(overview.OK)
}

// Matter counts the conditions of a group that are not as wanted.
func Matter(g overview.Group) int {
	n := 0
	for _, gs := range g.Sites {
		n += len(g.Matters(gs.Site))
	}
	return n
}

// Operations tells the operations that a group remembers, with their steps, newest first.
func Operations(s Style, o overview.Overview, g overview.Group, ops []recovery.Operation) []string {
	var b, history strings.Builder
	_, silent := told(o, g)
	if len(silent) > 0 {
		fmt.Fprintln(&b, s.wrap("  ", "Operations that only "+strings.Join(silent, " and ")+" remembers are not known."))
	} else if len(ops) == 0 {
		b.WriteString("  No operation is recorded: kubectl vgr has not changed the roles of the group.\n")
	}
	History(&history, ops)
	for line := range strings.Lines(history.String()) {
		if !strings.HasPrefix(line, " ") {
			line = s.paint(bold, strings.TrimSuffix(line, "\n")) + "\n"
		}
		b.WriteString("  " + line)
	}
	return lines(&b)
}
