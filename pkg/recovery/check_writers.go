// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

// Writers returns the checks of who wrote the journals: they are written in an object that others may edit.
func Writers(f Facts) []Check {
	c := checker{facts: f}
	c.writers()
	return c.checks
}

func (c *checker) writers() {
	for i, w := range c.facts.Writers {
		if !w.None() {
			c.add("journal", CheckWarning, "ask who that was; if it is not an operation that an administrator began: "+discardCommand(&c.facts.Pair),
				"the journal on %s was last written by %s, and not by kubectl vgr", c.facts.Sites[i].Name, w)
		}
	}
}
