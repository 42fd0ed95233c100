// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"regexp"
	"strings"
)

// siteIn is the word that a controller has in its commands instead of a site: no cluster knows what its user calls it.
var siteIn = regexp.MustCompile(`(--(?:context|to|discard-site)) SITE\b`)

// NameSites puts names of sites into the commands that the controller of a site prints, where they are known: that of the
// site, and that of the other one.
func NameSites(text, here, other string) string {
	for _, means := range []struct{ says, name string }{
		{" (SITE is the context of this cluster)", here}, {" (SITE is this site)", here}, {" (SITE is the context of the other cluster)", other},
	} {
		if means.name != "" && strings.Contains(text, means.says) {
			text = siteIn.ReplaceAllString(strings.ReplaceAll(text, means.says, ""), "$1 "+strings.ReplaceAll(means.name, "$", "$$"))
		}
	}
	return text
}
