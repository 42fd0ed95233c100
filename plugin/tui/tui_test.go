// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

var now = time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)

// group is one that has been as it was asked to be for some time.
func group(name string, state vgrv1.State, synced time.Duration) vgrv1.VolumeGroupReplication {
	g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: name, Generation: 1, Labels: map[string]string{"tier": name}}}
	g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationClass = vgrv1.ReplicationState(strings.ToLower(string(state))), "gold"
	g.Status.State, g.Status.ObservedGeneration, g.Status.Backend = state, 1, "csi-addons"
	g.Status.Conditions = []metav1.Condition{{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsAsked", Message: "the backend says so", ObservedGeneration: 1}}
	health := vgrv1.HealthDegraded
	if state == vgrv1.StatePrimary {
		health = vgrv1.HealthHealthy
		g.Status.LastSyncTime, g.Status.StateSince = new(metav1.NewTime(now.Add(-synced))), new(metav1.NewTime(now.Add(-24*time.Hour)))
	}
	for _, pvc := range []string{"data", "logs"} {
		g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: name + "-" + pvc, VolumeHandle: "0001-" + pvc, State: state, Health: health})
	}
	return g
}

// remember gives a group two operations that have ended.
func remember(g *vgrv1.VolumeGroupReplication) {
	for i, kind := range []recovery.Kind{recovery.Planned, recovery.Failback} {
		began := now.Add(time.Duration(i-2) * time.Hour)
		micro := func(after time.Duration) metav1.MicroTime { return metav1.NewMicroTime(began.Add(after)) }
		err := recovery.Write{Operation: recovery.Operation{
			ID: fmt.Sprint("op-", i), Kind: kind, Revision: int64(i + 1), By: "mia@desk", Started: micro(0), Result: recovery.Done,
			From: recovery.SiteRef{Name: "east"}, To: recovery.SiteRef{Name: "west"}, Finished: new(micro(16 * time.Second)),
			Steps: []recovery.StepTimes{
				{ID: recovery.StepDemote, Started: micro(0), Finished: new(micro(time.Second))},
				{ID: recovery.StepPromote, Started: micro(time.Second), Finished: new(micro(16 * time.Second))},
			},
		}}.Apply(g)
		if err != nil {
			panic(err)
		}
	}
}

// picture is an overview of groups that are primary on east; broken ones have two primaries.
func picture(at time.Time, west overview.Site, names ...string) overview.Overview {
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
	inputs := []overview.SiteInput{
		{Site: overview.Site{Name: "east", Answered: true}, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
		{Site: west, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
	}
	for _, name := range names {
		age, peer := time.Minute, vgrv1.StateSecondary
		switch {
		case strings.HasPrefix(name, "late"):
			age = 12 * time.Minute
		case strings.HasPrefix(name, "split"):
			peer = vgrv1.StatePrimary
		}
		g := group(name, vgrv1.StatePrimary, age)
		if strings.HasPrefix(name, "moved") {
			remember(&g)
		}
		if strings.HasPrefix(name, "evil") {
			g.Status.Conditions[0].Status, g.Status.Conditions[0].Message = metav1.ConditionFalse, "\x1b[2J\x1b]0;title\x07\nline two \u202egnorw "+strings.Repeat("x", 10000)
		}
		inputs[0].Groups = append(inputs[0].Groups, g)
		if west.Answered {
			inputs[1].Groups = append(inputs[1].Groups, group(name, peer, age))
		}
	}
	return overview.Build(inputs, at)
}

// tenPVCs is a group of ten PVCs on both sites: the copy of one has an error, and one is late.
func tenPVCs(at time.Time, west overview.Site) overview.Overview {
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "1m"}}}
	in := []overview.SiteInput{
		{Site: overview.Site{Name: "east", Answered: true}, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
		{Site: west, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
	}
	for i, state := range []vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary} {
		if !in[i].Answered {
			continue
		}
		g := group("postgresql", state, 144*time.Second)
		g.Status.Volumes = nil
		for n := range 10 {
			v := vgrv1.VolumeStatus{Name: fmt.Sprint("postgresql-data-", n+1), State: state, Health: vgrv1.HealthDegraded, CapacityBytes: new(int64(10 << 30))}
			if state == vgrv1.StatePrimary {
				age := 24 * time.Second
				if n == 3 {
					age = 144 * time.Second
				}
				v.Health, v.LastSyncTime, v.LastSyncBytes, v.LastSyncDuration = vgrv1.HealthHealthy, new(metav1.NewTime(now.Add(-age))), new(int64(12<<10)), &metav1.Duration{Duration: time.Second}
			} else if n == 8 {
				v.Health, v.Message = vgrv1.HealthError, "image is in error state"
			}
			g.Status.Volumes = append(g.Status.Volumes, v)
		}
		in[i].Groups = append(in[i].Groups, g)
	}
	return overview.Build(in, at)
}

// remembering is a picture of what this machine saw of west two minutes before.
func remembering() overview.Overview {
	o := picture(now, lost, "orders", "users")
	for i := range o.Groups {
		o.Groups[i].Sites[1].Remembered = &overview.Remembered{SeenAt: metav1.NewTime(now.Add(-2 * time.Minute)), State: vgrv1.StateSecondary, Volumes: 2}
	}
	return o
}

// happened are events that the sites tell, and a site that refuses to.
func happened(_ context.Context, _ overview.Group, show func([]tui.SiteEvents)) {
	show([]tui.SiteEvents{
		{Site: "east", Asked: true, Events: []tui.Event{
			{At: now.Add(-20 * time.Second), Object: "VolumeGroupReplication/postgresql", Reason: "Promoted", Message: "east is primary", Count: 1},
			{At: now.Add(-time.Minute), Object: "PVC/postgresql-data-9", Reason: "VolumeResizeFailed", Message: "the storage has no room for " + strings.Repeat("very ", 20) + "much", Warning: true, Count: 4},
		}},
		{Site: "west", Asked: true, Message: "cannot list events on west: events is forbidden: User \"mia\" cannot list resource \"events\""},
	})
}

var (
	live = overview.Site{Name: "west", Answered: true}
	lost = overview.Site{Name: "west", Problem: overview.SiteUnreachable, Message: "connection refused"}
	// asked has told of no group yet.
	asked = overview.Site{Name: "west", Problem: overview.SiteAsking, Message: "is being asked; 500 so far"}
)

func press(k string) tea.Msg {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "end": tea.KeyEnd, "pgdown": tea.KeyPgDown}
	if k == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	if code, ok := codes[k]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

// screen is a model that has taken in messages, and what came of them; strings are keys.
func screen(tb testing.TB, o tui.Options, msgs ...any) tea.Model {
	tb.Helper()
	var m tea.Model = tui.New(tb.Context(), o)
	for _, msg := range msgs {
		switch msg := msg.(type) {
		case overview.Overview:
			m = drive(m, tui.Overview(msg))
		case string:
			for k := range strings.FieldsSeq(msg) {
				m = drive(m, press(k))
			}
		default:
			m = drive(m, msg)
		}
	}
	return m
}

// drive hands a message to the model, and the messages of the commands that follow from it.
func drive(m tea.Model, msg tea.Msg) tea.Model {
	for msg != nil {
		var cmd tea.Cmd
		m, cmd = m.Update(msg)
		if msg = nil; cmd != nil {
			msg = cmd()
		}
	}
	return m
}

func content(m tea.Model) string { return m.View().Content }

var styles = map[string]present.Style{"colour": {Color: true, Unicode: true}, "plain": {Unicode: true}, "ascii": {}}

// TestFrames has what people see, at three sizes and in three styles.
func TestFrames(t *testing.T) {
	all := []string{"orders", "late-billing", "split-users", "evil", "データベース", "a-name-that-is-much-longer-than-any-column-has-room-for-on-a-small-screen"}
	frames := map[string][]any{
		"asking":      {},
		"empty":       {picture(now, live)},
		"groups":      {picture(now, live, all...)},
		"open":        {picture(now, live, all...), "enter"},
		"pvcs":        {tenPVCs(now, live)},
		"pvcs, alone": {tenPVCs(now, live), "enter"},
		"events":      {tenPVCs(now, live), "enter 3"},
		"conditions":  {tenPVCs(now, live), "enter 4"},
		"moved":       {picture(now, live, "moved"), "h"},
		"yaml":        {picture(now, live, "evil"), "enter o"},
		"faults":      {picture(now, live, all...), "z space"},
		"filter":      {picture(now, live, all...), "/ o r d"},
		"nothing":     {picture(now, live, all...), "/ x y z enter"},
		"help":        {picture(now, live, all...), "?"},
		"remembered":  {remembering()},
		"stale":       {picture(now, live, all...), picture(now.Add(12*time.Second), lost, all...)},
	}
	sizes := map[string]tea.WindowSizeMsg{"80x24": {Width: 80, Height: 24}, "120x40": {Width: 120, Height: 40}, "200x60": {Width: 200, Height: 60}}
	for size, window := range sizes {
		for styled, style := range styles {
			t.Run(size+"/"+styled, func(t *testing.T) {
				var b strings.Builder
				for _, name := range slices.Sorted(maps.Keys(frames)) {
					msgs := append([]any{window}, frames[name]...)
					frame := content(screen(t, tui.Options{Style: style, Title: "namespace production", Here: "east", Events: happened}, msgs...))
					fits(t, name, frame, window, style)
					fmt.Fprintf(&b, "== %s\n%s\n", name, trim(frame))
				}
				golden.Compare(t, size+"."+styled+".golden", b.String())
			})
		}
	}
}

// TestHelpFits: all of the help is on a terminal of 80 by 24, also when both sites have something to say.
func TestHelpFits(t *testing.T) {
	size := tea.WindowSizeMsg{Width: 80, Height: 24}
	frame := content(screen(t, tui.Options{Title: "x", Here: "east"}, size, picture(now, live, "a"), picture(now.Add(12*time.Second), lost, "a"), "?"))
	for _, want := range []string{"quit", "keys move in the details\n", "regular expression\n", "filter: a label selector\n", "one group, on all the screen\n", "on east.\n"} {
		if !strings.Contains(trim(frame)+"\n", want) {
			t.Errorf("no %q in\n%s", want, frame)
		}
	}
	if strings.Contains(frame, "more lines") {
		t.Errorf("it does not fit:\n%s", frame)
	}
}

// trim leaves out what is empty, so that golden files can be read.
func trim(frame string) string {
	var out []string
	for line := range strings.SplitSeq(frame, "\n") {
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.Join(out, "\n")
}

// fits checks what must hold for every frame: as many lines as the screen has at most, none too
// wide, and nothing of what the API said can move the cursor.
func fits(t *testing.T, name, frame string, size tea.WindowSizeMsg, s present.Style) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) > max(size.Height, 1) {
		t.Errorf("%s: %d lines on %d rows", name, len(lines), size.Height)
	}
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > max(size.Width, 1) {
			t.Errorf("%s: %d columns of %d: %q", name, w, size.Width, line)
		}
		for _, r := range ansi.Strip(line) {
			if r < ' ' || r == 0x7f || r == '\u202e' {
				t.Errorf("%s: control character %q in %q", name, r, line)
			}
			if !s.Unicode && r > 0x7e && !strings.ContainsRune("データベース", r) {
				t.Errorf("%s: %q is not ASCII in %q", name, r, line)
			}
		}
		left := strings.NewReplacer("\x1b[0m", "", "\x1b[7m", "").Replace(line)
		if !s.Color && strings.Contains(left, "\x1b") {
			t.Errorf("%s: colour although none was wanted: %q", name, line)
		}
	}
}

// TestEvents: events are asked for while their tab is on the screen, of the group that it shows, and not longer.
func TestEvents(t *testing.T) {
	type asking struct {
		group string
		ended <-chan struct{}
	}
	asked := make(chan asking, 1)
	o := tui.Options{Title: "x", Run: (&recorder{}).run, Events: func(ctx context.Context, g overview.Group, show func([]tui.SiteEvents)) {
		asked <- asking{g.Name, ctx.Done()}
		<-ctx.Done()
	}}
	m := screen(t, o, tea.WindowSizeMsg{Width: 100, Height: 30}, picture(now, live, "a", "b"), "enter j")
	// What comes of a key may be a command that waits for events: it is not run here.
	types := func(keys string) {
		for k := range strings.FieldsSeq(keys) {
			m, _ = m.Update(press(k))
		}
	}
	types("3")
	first := <-asked
	if first.group != "a" {
		t.Errorf("events of %s", first.group)
	}
	if !strings.Contains(content(m), "asking the sites") {
		t.Errorf("it says\n%s", content(m))
	}
	m, _ = m.Update(tui.Overview(picture(now.Add(time.Second), live, "a", "b")))
	types("esc j")
	<-first.ended
	second := <-asked
	if second.group != "b" {
		t.Errorf("then events of %s", second.group)
	}
	for _, leave := range []string{"1", "v", "?", "o"} {
		types(leave)
		<-second.ended
		if leave == "o" {
			break
		}
		types("esc 3")
		second = <-asked
	}
	if len(asked) > 0 {
		t.Error("events are asked for that are not shown")
	}
}

// TestResize: whatever the size, and while it changes, the frame fits.
func TestResize(t *testing.T) {
	style := present.Style{Color: true, Unicode: true}
	var m tea.Model = tui.New(t.Context(), tui.Options{Style: style, Title: "all namespaces", Namespaces: true})
	for i := range 40 {
		m, _ = m.Update(tui.Overview(picture(now, live, "evil", "orders", "データベース", fmt.Sprint("late-", i))))
		for _, k := range []string{"down", "enter", "pgdown", "esc", "tab", "?", "esc", "end"} {
			size := tea.WindowSizeMsg{Width: (i * 37) % 231, Height: (i * 13) % 71}
			m, _ = m.Update(size)
			m, _ = m.Update(press(k))
			fits(t, fmt.Sprintf("%dx%d %s", size.Width, size.Height, k), content(m), size, style)
		}
	}
}

// TestSelection: the cursor stays on its group, whatever row that comes to.
func TestSelection(t *testing.T) {
	size := tea.WindowSizeMsg{Width: 100, Height: 30}
	o := tui.Options{Title: "x"}
	for name, tc := range map[string]struct {
		msgs []any
		want string
	}{
		"others become ill":     {[]any{picture(now, live, "a", "b", "c"), "down", picture(now, live, "a", "b", "c", "split-d")}, "b"},
		"others join before it": {[]any{picture(now, live, "b", "c"), picture(now, live, "a", "b", "c")}, "b"},
		"others turn out ill":   {[]any{picture(now, asked, "a", "b"), picture(now, live, "a", "b", "split-d")}, "split-d"},
		"one was chosen before": {[]any{picture(now, asked, "a", "b"), "down", picture(now, live, "a", "b", "split-d")}, "b"},
		"it goes":               {[]any{picture(now, live, "a", "b", "c"), "down", picture(now, live, "a", "c")}, "c"},
		"it was the last":       {[]any{picture(now, live, "a", "b"), "end", picture(now, live, "a")}, "a"},
		"sorted otherwise":      {[]any{picture(now, live, "a", "late-b", "c"), "down s S"}, "a"},
		"filtered away":         {[]any{picture(now, live, "a", "b", "c"), "down / / c"}, "c"},
		"by label":              {[]any{picture(now, live, "a", "b", "c"), "/ - l space t i e r = c enter"}, "c"},
		"half a selector":       {[]any{picture(now, live, "a", "b", "c"), "/ - l space t i e r ! = a , ( enter g"}, "a"},
		"past the end":          {[]any{picture(now, live, "a", "b"), strings.Repeat("down ", 4)}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			frame := ansi.Strip(content(screen(t, o, append([]any{size}, tc.msgs...)...)))
			for line := range strings.SplitSeq(frame, "\n") {
				if rest, ok := strings.CutPrefix(line, ">"); ok {
					if got := strings.Fields(strings.TrimPrefix(rest, "~"))[0]; got != tc.want {
						t.Errorf("the cursor is on %s, want %s", got, tc.want)
					}
					return
				}
			}
			t.Errorf("no cursor in\n%s", frame)
		})
	}
}

// TestSoFar: while a site is still being asked, nothing is said of all groups.
func TestSoFar(t *testing.T) {
	for _, tc := range []struct {
		west       overview.Site
		count, not string
	}{
		{asked, "2 groups so far, by health", "No groups match the filter so far."},
		{live, "2 groups, by health", "No groups match the filter."},
	} {
		m := screen(t, tui.Options{Title: "x"}, tea.WindowSizeMsg{Width: 100, Height: 30}, picture(now, tc.west, "a", "b"))
		if frame := ansi.Strip(content(m)); !strings.Contains(frame, tc.count) {
			t.Errorf("no %q in\n%s", tc.count, frame)
		}
		m = screen(t, tui.Options{Title: "x"}, tea.WindowSizeMsg{Width: 100, Height: 30}, picture(now, tc.west, "a", "b"), "/ z enter")
		if frame := ansi.Strip(content(m)); !strings.Contains(frame, tc.not) {
			t.Errorf("no %q in\n%s", tc.not, frame)
		}
	}
}

// TestTerminalGone: a screen ends with its terminal, also where a hangup is ignored.
func TestTerminalGone(t *testing.T) {
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	shown := make(chan struct{})
	feed := func(ctx context.Context, show func(overview.Overview) error) error {
		err := show(picture(now, live, "a"))
		close(shown)
		<-ctx.Done()
		return err
	}
	ended := make(chan error)
	ctx := t.Context()
	go func() { ended <- tui.Run(ctx, tui.Options{Title: "x"}, in, io.Discard, feed) }()
	<-shown
	typed.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestActions: keys stand for commands, of the marked groups or the one under the cursor.
func TestActions(t *testing.T) {
	groups := picture(now, live, "a", "b", "split-c")
	other := picture(now, live, "x")
	other.Groups[0].Namespace = "staging"
	mixed := groups
	mixed.Groups = append(slices.Clone(groups.Groups), other.Groups...)
	west := picture(now, live, "w")
	west.Groups[0].Sites[0].State, west.Groups[0].Sites[1].State = vgrv1.StateSecondary, vgrv1.StatePrimary
	turned := groups
	turned.Groups = append(slices.Clone(groups.Groups), west.Groups...)
	flying := picture(now, live, "a")
	flying.Groups[0].Verdict.Level = overview.Warning
	flying.Groups[0].Operation = &overview.Operation{
		Kind: recovery.Planned, ResumeCommand: "kubectl vgr failover a -n production --to west", AbortCommand: "kubectl vgr failover a -n production --abort",
	}
	foreign := picture(now, live, "a")
	foreign.Groups[0].ManagedBy = "csi-addons"
	foreign.Groups[0].Sites[0].Native = &overview.Native{ManagedBy: "csi-addons", Kind: "VolumeReplication", Namespace: "production", Name: "a", Next: "kubectl vgr migrate"}
	bereft := picture(now, live, "a")
	bereft.Sites[0] = overview.Site{Name: "east", Problem: overview.SiteUnreachable, Message: "connection refused"}
	bereft.Groups[0].Sites[0] = overview.GroupSite{Site: "east"}
	bereft.Groups[0].Verdict = overview.Verdict{Level: overview.Problem, Phase: overview.Unreachable}
	for name, tc := range map[string]struct {
		view     overview.Overview
		keys     string
		readOnly bool
		want     string // the command
		says     string // on the screen
	}{
		"failover":                    {view: groups, keys: "s g f", want: "failover a -n production --to west"},
		"failover of marked":          {view: groups, keys: "s g space j k space f", want: "failover a b -n production --to west"},
		"unmarked again":              {view: groups, keys: "s g space up space f", want: "failover b -n production --to west"},
		"open, another is marked":     {view: groups, keys: "s g space enter f", want: "failover b -n production --to west"},
		"focused, another is marked":  {view: groups, keys: "s g space tab f", want: "failover b -n production --to west"},
		"back in the table":           {view: groups, keys: "s g space enter esc f", want: "failover a -n production --to west"},
		"copied from what is open":    {view: groups, keys: "s g space enter y", says: "copied, if the terminal allows it: kubectl vgr status b -n production"},
		"failback of what moved":      {view: west, keys: "b", want: "failback w -n production --to east"},
		"promote":                     {view: groups, keys: "s g p", want: "promote a -n production"},
		"validate":                    {view: groups, keys: "s g v", want: "validate a -n production"},
		"operations of a silent site": {view: bereft, keys: "h", says: "Operations that only east remembers are not known."},
		"operations of one":           {view: groups, keys: "s g h", says: "[2 Operations 0]"},
		"without one primary":         {view: groups, keys: "f", says: "production/split-c has not one primary"},
		"different directions":        {view: turned, keys: "s g space end space f", says: "primary on different sites"},
		"different namespaces":        {view: mixed, keys: "s g space end space f", want: "failover production/a staging/x --to west"},
		"demote in a split":           {view: groups, keys: "d", says: "production/split-c has two primaries: ! shows the ways out"},
		"resume":                      {view: flying, keys: "c", want: "failover a -n production --to west"},
		"abort":                       {view: flying, keys: "a", want: "failover a -n production --abort"},
		"abort of nothing":            {view: groups, keys: "s g a", says: "no operation of production/a is in flight"},
		"a step, to resume":           {view: flying, keys: "! 1", want: "failover a -n production --to west"},
		"a step, to abort":            {view: flying, keys: "! 2", want: "failover a -n production --abort"},
		"a step that is not there":    {view: flying, keys: "! 9", says: "production/a has 4 steps"},
		"no step":                     {view: flying, keys: "! esc", says: "? help"},
		"the primary's site is lost":  {view: bereft, keys: "f", says: "!1 is the UNPLANNED failover,"},
		"and the step is chosen":      {view: bereft, keys: "! 1", want: "failover a -n production --to west --unplanned --accept-data-loss unknown"},
		"a step, read-only":           {view: bereft, keys: "! 1", readOnly: true, says: "--read-only: not done: kubectl vgr failover a"},
		"typed":                       {view: groups, keys: ": d e m o t e space ' a space b ' enter", want: "demote a b -n production"},
		"typed with a namespace":      {view: groups, keys: ": l i s t space - A enter", want: "list -A"},
		"typed, read-only":            {view: groups, keys: ": d e m o t e space a enter", readOnly: true, says: "--read-only: not done: kubectl vgr demote a"},
		"typed and left":              {view: groups, keys: ": s esc", says: "? help"},
		"nothing to act on":           {view: picture(now, live), keys: "f", says: "no group is selected"},
		"of another tool":             {view: foreign, keys: "f", says: "group production/a is not changed: it is VolumeReplication production/a on east, managed by csi-addons. Next: kubectl"},
		"of another tool, in no role": {view: foreign, keys: "d", says: "managed by csi-addons"},
		"of another tool, validate":   {view: foreign, keys: "v", want: "validate a -n production --managed-by all"},
		"read-only":                   {view: groups, keys: "s g f", readOnly: true, says: "--read-only: not done: kubectl vgr failover a -n production --to west"},
		"looking, read-only":          {view: groups, keys: "s g v", readOnly: true, want: "validate a -n production"},
		"copy":                        {view: groups, keys: "s g y", says: "copied, if the terminal allows it: kubectl vgr status a -n production"},
		"another key":                 {view: groups, keys: "s g x", says: "? help"},
	} {
		t.Run(name, func(t *testing.T) {
			var ran string
			o := tui.Options{Title: "x", Namespace: "production", ReadOnly: tc.readOnly, Run: func(_ context.Context, args []string, _ tui.Talk) int {
				ran = strings.Join(args, " ")
				return 0
			}}
			frame := content(screen(t, o, tea.WindowSizeMsg{Width: 120, Height: 30}, tc.view, tc.keys))
			if ran != tc.want {
				t.Errorf("it ran %q, want %q", ran, tc.want)
			}
			if !strings.Contains(frame, tc.says) {
				t.Errorf("it does not say %q:\n%s", tc.says, frame)
			}
		})
	}
}

// TestQuit: q and Ctrl-C leave, from everywhere that they are not text.
func TestQuit(t *testing.T) {
	ctrlC := tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	for keys, leaves := range map[string][2]bool{"": {true, true}, "enter": {true, true}, "/ a": {false, true}, "?": {false, true}, "z": {true, true}} {
		for i, msg := range []tea.Msg{press("q"), ctrlC} {
			_, cmd := screen(t, tui.Options{}, tea.WindowSizeMsg{Width: 80, Height: 24}, picture(now, live, "a"), keys).Update(msg)
			quit := false
			if cmd != nil {
				_, quit = cmd().(tea.QuitMsg)
			}
			if quit != leaves[i] {
				t.Errorf("after %q, %v leaves: %v, want %v", keys, msg, quit, leaves[i])
			}
		}
	}
}

// TestCurve: the lag since the screen was opened is drawn, with what was not known.
func TestCurve(t *testing.T) {
	msgs := []any{tea.WindowSizeMsg{Width: 100, Height: 30}}
	for i := range 5 {
		o := picture(now.Add(time.Duration(i)*time.Minute), live, "a")
		if i == 2 {
			o.Groups[0].LagSeconds = nil
		}
		msgs = append(msgs, o)
	}
	frame := content(screen(t, tui.Options{Style: present.Style{Unicode: true}}, msgs...))
	if !strings.Contains(frame, "▂▃?▆█") || !strings.Contains(frame, "of 15m") {
		t.Errorf("no curve in\n%s", frame)
	}
}

func many(n int) overview.Overview {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("group-%05d", i)
	}
	return picture(now, live, names...)
}

// BenchmarkUpdate takes in a new picture and draws it.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{500, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := many(n)
			m := screen(b, tui.Options{Style: present.Style{Color: true, Unicode: true}}, tea.WindowSizeMsg{Width: 120, Height: 40}, o)
			b.ReportAllocs()
			for b.Loop() {
				m, _ = m.Update(tui.Overview(o))
				_ = content(m)
			}
		})
	}
}

// BenchmarkKey is a key press until its frame.
func BenchmarkKey(b *testing.B) {
	for _, n := range []int{500, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := screen(b, tui.Options{Style: present.Style{Color: true, Unicode: true}}, tea.WindowSizeMsg{Width: 120, Height: 40}, many(n))
			down := press("down")
			b.ReportAllocs()
			for b.Loop() {
				m, _ = m.Update(down)
				_ = content(m)
			}
		})
	}
}

// BenchmarkView draws what is on the screen already, as for a key that changes nothing.
func BenchmarkView(b *testing.B) {
	for _, size := range []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 200, Height: 60}} {
		b.Run(fmt.Sprintf("500 on %dx%d", size.Width, size.Height), func(b *testing.B) {
			m := screen(b, tui.Options{Style: present.Style{Color: true, Unicode: true}}, size, many(500))
			b.ReportAllocs()
			for b.Loop() {
				_ = content(m)
			}
		})
	}
}
