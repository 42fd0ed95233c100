// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import "slices"

// Count is how many groups have a verdict that is called the same.
type Count struct {
	Verdict
	Groups int
}

// Counts counts the groups by verdict, the worst first.
func (o Overview) Counts() []Count {
	var all []Count
	for i := range o.Groups {
		v := o.Groups[i].Verdict
		at := slices.IndexFunc(all, func(c Count) bool { return c.Level == v.Level && c.Word() == v.Word() })
		if at < 0 {
			at, all = len(all), append(all, Count{Verdict: v})
		}
		all[at].Groups++
	}
	slices.SortStableFunc(all, func(a, b Count) int { return a.Compare(b.Verdict) })
	return all
}
