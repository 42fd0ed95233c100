// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// Plan is what will be done to one group.
type Plan struct {
	Namespace, Name, Backend string
	Wave                     int
	Operation                recovery.Operation
	Steps                    []recovery.Step
	Checks                   []recovery.Check
	Estimate                 recovery.Estimate
	// Resumed is true of an operation that is in flight already, and Refused when this one is not begun.
	Resumed, Refused bool
	// Seen is what this machine last saw of the group on sites that do not answer. It helps to decide how much loss to
	// accept, and no check reads it.
	Seen []string
	// Alive says that the source of an unplanned failover answers.
	Alive string
}

func (p *Plan) group() string { return Clean(p.Namespace + "/" + p.Name) }

// title says what is done; of one in flight its ID is told too where it is the only one.
func (p *Plan) title(id bool) string {
	what := p.Operation.Title()
	switch {
	case p.Resumed && id:
		what = p.Operation.String()
	case p.Resumed && !p.Operation.Aborting:
		what = "resume " + what
	}
	if p.Operation.Aborting {
		what = "take back " + what
	}
	return Clean(what)
}

func (p *Plan) passed() int {
	return len(p.Checks) - len(unwell(p.Checks))
}

// unwell returns the checks that did not pass, those that refuse the operation first, then those that matter most.
func unwell(checks []recovery.Check) []recovery.Check {
	out := slices.DeleteFunc(slices.Clone(checks), func(c recovery.Check) bool { return c.Severity == recovery.CheckOK })
	slices.SortStableFunc(out, func(a, b recovery.Check) int { return rank(a) - rank(b) })
	return out
}

// rank orders checks: those that refuse the operation, then what concerns data and the application, and last what only tells
// how little is known.
func rank(c recovery.Check) int {
	order := []string{
		"identity", "group", "backend", "writers", "journal", "guard", "reachable", "roles", "current", "obstacle", "terminating", "members", "users", "operation", "gitops", "sizes", "sync",
		"driver", "controller", "permissions", "", "validated", "health", "lag",
	}
	n := slices.Index(order, c.ID)
	if n < 0 {
		n = slices.Index(order, "")
	}
	if c.Severity == recovery.CheckWarning {
		n += len(order)
	}
	return n
}

// Findings draws the checks that did not pass, and counts those that did.
func Findings(w io.Writer, s Style, checks []recovery.Check) (passed int) {
	bad := unwell(checks)
	for _, c := range bad {
		s.finding(w, c, c.ID+": "+c.Evidence, c.Remedy)
	}
	return len(checks) - len(bad)
}

func (s Style) finding(w io.Writer, c recovery.Check, text, remedy string) {
	level := overview.Warning
	if c.Severity == recovery.CheckProblem {
		level = overview.Problem
	}
	fmt.Fprintln(w, s.Hang("  "+s.level(level, fmt.Sprintf("%-7s", c.Severity))+"  ", Clean(text)))
	if c.Severity == recovery.CheckWarning && remedy != "" { // that of a problem is the next step of the error
		fmt.Fprintln(w, s.Hang("           ", Clean(remedy)))
	}
}

// Plans draws what will be done: of one group each step, of several one table.
func Plans(w io.Writer, s Style, all []Plan) {
	if len(all) == 1 {
		s.plan(w, &all[0])
		return
	}
	for len(all) > 0 {
		title := all[0].title(false)
		var same, others []Plan
		for _, p := range all {
			if p.title(false) == title {
				same = append(same, p)
			} else {
				others = append(others, p)
			}
		}
		slices.SortStableFunc(same, func(a, b Plan) int { return a.Wave - b.Wave })
		s.plans(w, title, same)
		all = others
	}
}

// plan draws the plan of one group.
func (s Style) plan(w io.Writer, p *Plan) {
	fmt.Fprintf(w, "%s: %s\n", p.group(), p.title(true))
	if p.Resumed {
		fmt.Fprintln(w, Clean("  "+begun(p.Operation)))
	}
	if passed := Findings(w, s, p.Checks); len(p.Checks) > 0 {
		fmt.Fprintf(w, "  %d of %d checks passed\n", passed, len(p.Checks))
	}
	width := len("reprotect")
	for _, step := range p.Steps {
		width = max(width, len(step.ID))
	}
	for i, step := range p.Steps {
		at := step.Site.Name
		if at == "" {
			at = p.Operation.From.Name + ", " + p.Operation.To.Name
		}
		fmt.Fprintln(w, s.Hang(fmt.Sprintf("  %d. %-*s ", i+1, width, step.ID), Clean(at+": "+step.Does)))
	}
	if takes := p.takes(); takes != "" {
		fmt.Fprintln(w, s.Hang("  takes: ", takes))
	}
	s.lost(w, p.Operation.Loses(), "  data loss: ", Loss(p.Operation))
	for _, line := range LossByVolume(p.Operation) {
		s.lost(w, p.Operation.Loses(), "    ", line)
	}
	for _, seen := range p.Seen {
		fmt.Fprintln(w, s.Hang("  last seen: ", Clean(seen)))
	}
	if p.Alive != "" {
		s.lost(w, true, "  ", p.Alive)
	}
	if p.Wave != 0 {
		fmt.Fprintf(w, "  wave: %d\n", p.Wave)
	}
}

func begun(op recovery.Operation) string {
	return fmt.Sprintf("begun by %s at %s", op.By, op.Started.UTC().Format(time.RFC3339))
}

// lost writes what is lost, red where that is something.
func (s Style) lost(w io.Writer, loses bool, lead, text string) {
	for line := range strings.SplitSeq(s.Hang(lead, Clean(text)), "\n") {
		if loses {
			line = s.Warn(line)
		}
		fmt.Fprintln(w, line)
	}
}

// takes says how long an operation takes; empty when nothing is known.
func (p *Plan) takes() string {
	e := p.Estimate
	after := ""
	if e.Waits {
		after = ", after the source has synchronised"
	}
	switch {
	case p.Resumed:
		return ""
	case e.Earlier > 0 && e.Stops:
		return fmt.Sprintf("%s%s, %s of it without a primary, by %s", about(e.Total), after, about(e.Outage), earlier(e.Earlier))
	case e.Earlier > 0:
		return fmt.Sprintf("%s%s, by %s", about(e.Total), after, earlier(e.Earlier))
	case e.Upto > 0:
		return fmt.Sprintf("about %s without a primary%s, because the storage looks that often whether the sites are in sync", e.Upto, after)
	default:
		return ""
	}
}

func earlier(n int) string {
	if n == 1 {
		return "one earlier operation"
	}
	return fmt.Sprintf("%d earlier operations", n)
}

func about(d time.Duration) string {
	if d < time.Second {
		return "under 1s"
	}
	return "about " + d.Round(time.Second).String()
}

// plans draws one table for groups to which the same is done, and below it what they have in common.
func (s Style) plans(w io.Writer, title string, all []Plan) {
	pvcs := 0
	t := table{style: s, indent: "  ", head: []string{"WAVE", "GROUP", "BACKEND", "PVCS", "CHECKS", "TAKES", "NO PRIMARY"}, drop: []string{"BACKEND", "PVCS"}, whole: []string{"WAVE", "CHECKS", "TAKES", "NO PRIMARY"}}
	waves := false
	for i := range all {
		p := &all[i]
		pvcs += len(p.Operation.Members)
		waves = waves || p.Wave != 0
		t.rows = append(t.rows, s.planned(p))
	}
	if !waves {
		t = t.without([]int{0})
	}
	head := fmt.Sprintf("%s: %d groups, %d PVCs", title, len(all), pvcs)
	if len(all) == 1 {
		head = fmt.Sprintf("%s: 1 group, %d PVCs", title, pvcs)
	}
	fmt.Fprintln(w, s.Hang("", head+total(all)))
	_ = t.write(w) // what cannot be shown, the prompt cannot be either
	s.sequences(w, all)
	for _, line := range merge(all, func(p *Plan) []string { return p.stops() }) {
		fmt.Fprintln(w, s.Hang("  ", Clean(line.of(all)+": "+line.text)))
	}
	s.common(w, all)
	for _, line := range merge(all, func(p *Plan) []string {
		if !p.Resumed {
			return nil
		}
		return []string{begun(p.Operation)}
	}) {
		fmt.Fprintln(w, s.Hang("  ", Clean(line.of(all)+": "+line.text)))
	}
	for _, line := range merge(all, func(p *Plan) []string { return p.Seen }) {
		fmt.Fprintln(w, s.Hang("  last seen: ", Clean(line.of(all)+": "+line.text)))
	}
	s.losses(w, all)
}

// planned is the row of a group.
func (s Style) planned(p *Plan) []string {
	checks := fmt.Sprintf("%d of %d", p.passed(), len(p.Checks))
	if p.Refused {
		checks = s.Warn("refused")
	}
	takes, without := "unknown", "unknown"
	e := p.Estimate
	switch {
	case p.Resumed, p.Refused:
		takes, without = "-", "-"
	case e.Earlier > 0:
		takes, without = about(e.Total), about(e.Outage)
		if e.Waits {
			takes = "wait, " + takes
		}
	case e.Upto > 0:
		without = "about " + e.Upto.String()
	}
	switch {
	case p.Resumed, p.Refused:
	case p.Operation.Kind == recovery.Demote:
		without = "until promoted"
	case p.Operation.Kind != recovery.Planned && p.Operation.Kind != recovery.Failback:
		without = "-"
	case !e.Stops:
		without = "none"
	}
	return []string{fmt.Sprint(p.Wave), p.group(), Clean(p.Backend), fmt.Sprint(len(p.Operation.Members)), checks, takes, without}
}

// total says how long all take, wave after wave; empty when that is not known of each.
func total(all []Plan) string {
	longest := map[int]time.Duration{}
	for i := range all {
		if all[i].Refused {
			continue
		}
		if e := all[i].Estimate; e.Earlier == 0 || e.Waits {
			return ""
		}
		longest[all[i].Wave] = max(longest[all[i].Wave], all[i].Estimate.Total)
	}
	if len(longest) == 0 {
		return ""
	}
	var sum time.Duration
	for _, d := range longest {
		sum += d
	}
	return ", " + about(sum)
}

// sequences draws the steps once for each kind of storage.
func (s Style) sequences(w io.Writer, all []Plan) {
	lines := merge(all, func(p *Plan) []string {
		var steps []string
		for _, step := range p.Steps {
			text := string(step.ID)
			if step.Site.Name != "" && step.ID != recovery.StepSync {
				text += " " + step.Site.Name
			}
			steps = append(steps, text)
		}
		return []string{strings.Join(steps, ", ")}
	})
	for _, line := range lines {
		of := line.kind(all)
		if of == "" {
			of = line.of(all)
		}
		fmt.Fprintln(w, s.Hang("  "+Clean(of)+": ", Clean(line.text)))
	}
}

// stops says which workloads are stopped and started.
func (p *Plan) stops() []string {
	var out []string
	for _, step := range p.Steps {
		if step.ID == recovery.StepQuiesce || step.ID == recovery.StepStopTarget || step.ID == recovery.StepStart {
			out = append(out, fmt.Sprintf("%s %s: %s", step.ID, step.Site.Name, step.Does))
		}
	}
	return out
}

// common draws what checks found, once for all groups of which they found the same.
func (s Style) common(w io.Writer, all []Plan) {
	type finding struct {
		recovery.Check
		remedies []string
	}
	found := map[string]*finding{}
	var checks []recovery.Check
	key := func(c recovery.Check) string {
		text := c.Evidence
		if c.Brief != "" {
			text = c.Brief
		}
		return string(c.Severity) + "\x00" + c.ID + ": " + text
	}
	lines := merge(all, func(p *Plan) []string {
		var keys []string
		for _, c := range unwell(p.Checks) {
			k := key(c)
			if found[k] == nil {
				found[k] = &finding{Check: c}
				checks = append(checks, c)
			}
			if !slices.Contains(found[k].remedies, c.Remedy) {
				found[k].remedies = append(found[k].remedies, c.Remedy)
			}
			keys = append(keys, k)
		}
		return keys
	})
	for _, c := range unwell(checks) {
		k := key(c)
		i := slices.IndexFunc(lines, func(l merged) bool { return l.text == k })
		_, text, _ := strings.Cut(k, "\x00")
		remedy := ""
		if len(found[k].remedies) == 1 {
			remedy = found[k].remedies[0]
		}
		s.finding(w, c, text+" ("+lines[i].of(all)+")", remedy)
	}
}

// losses draws what is lost; the last lines before the prompt.
func (s Style) losses(w io.Writer, all []Plan) {
	begins := 0
	for i := range all {
		if !all[i].Refused {
			begins++
		}
	}
	of := func(line merged) string {
		if len(line.plans) == begins {
			return ""
		}
		return line.of(all) + ": "
	}
	for _, line := range merge(all, func(p *Plan) []string {
		if p.Refused {
			return nil
		}
		return []string{Loss(p.Operation)}
	}) {
		s.lost(w, line.plans[0].Operation.Loses(), "  data loss: ", of(line)+line.text)
		for _, p := range line.plans {
			for _, volume := range LossByVolume(p.Operation) {
				s.lost(w, p.Operation.Loses(), "    ", p.group()+" "+volume)
			}
		}
	}
	for _, line := range merge(all, func(p *Plan) []string {
		if p.Alive == "" || p.Refused {
			return nil
		}
		return []string{p.Alive}
	}) {
		s.lost(w, true, "  ", of(line)+line.text)
	}
}

// merged is a text and the groups that it is about.
type merged struct {
	text  string
	plans []*Plan
}

// merge returns each text once, in the order in which they come.
func merge(all []Plan, texts func(p *Plan) []string) []merged {
	var out []merged
	for i := range all {
		for _, text := range texts(&all[i]) {
			at := slices.IndexFunc(out, func(m merged) bool { return m.text == text })
			if at < 0 {
				out, at = append(out, merged{text: text}), len(out)
			}
			if !slices.Contains(out[at].plans, &all[i]) {
				out[at].plans = append(out[at].plans, &all[i])
			}
		}
	}
	return out
}

// of names the groups, in few words where they are all, or all of a backend.
func (m merged) of(all []Plan) string {
	switch kind := m.kind(all); {
	case len(m.plans) == len(all) && len(all) > 1:
		return "all groups"
	case len(m.plans) > 2 && kind != "":
		return "all of " + kind
	}
	var names []string
	for _, p := range m.plans {
		names = append(names, p.group())
	}
	return strings.Join(names, ", ")
}

// kind returns the backend of which these are all groups; empty when they are not.
func (m merged) kind(all []Plan) string {
	backend, count := m.plans[0].Backend, 0
	for i := range all {
		if all[i].Backend == backend {
			count++
		}
	}
	if backend == "" || count != len(m.plans) || slices.ContainsFunc(m.plans, func(p *Plan) bool { return p.Backend != backend }) {
		return ""
	}
	return backend
}
