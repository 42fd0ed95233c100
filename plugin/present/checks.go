// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"io"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// Unsourced draws whether a site could take over from one that does not answer.
func Unsourced(w io.Writer, s Style, title, from, to string, u recovery.Unsourced) {
	Checks(w, s, fmt.Sprintf("%s, unplanned: %s does not answer", title, from), u.Checks)
	if u.Command == "" {
		fmt.Fprintln(w, s.Hang("  ", s.level(overview.Problem, Clean("Cannot fail over to "+to+"."))))
		return
	}
	fmt.Fprintln(w, s.Hang("  ", s.level(overview.Problem, Clean(fmt.Sprintf("Can fail over to %s only with accepted data loss: %s.", to, u.Loss)))))
	fmt.Fprintln(w, s.Hang("  ", Clean(fmt.Sprintf("If %s is lost: %s", from, u.Command))))
}

// Checks draws pre-flight checks under a title, with what to do below each that is not well.
func Checks(w io.Writer, s Style, title string, checks []recovery.Check) {
	fmt.Fprintln(w, Clean(title))
	for _, c := range checks {
		level := map[recovery.Severity]overview.Level{
			recovery.CheckOK: overview.OK, recovery.CheckWarning: overview.Warning, recovery.CheckProblem: overview.Problem,
		}[c.Severity]
		lead := fmt.Sprintf("  %s  %-11s  ", s.level(level, s.icon(level)+" "+fmt.Sprintf("%-7s", c.Severity)), Clean(c.ID))
		fmt.Fprintln(w, s.Hang(lead, Clean(c.Evidence)))
		if c.Remedy != "" {
			fmt.Fprintln(w, s.Hang(fmt.Sprintf("  %24s", ""), Clean(c.Remedy)))
		}
	}
}
