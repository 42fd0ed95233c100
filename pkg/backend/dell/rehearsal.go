// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import "cmp"

const (
	powerStore = "csi-powerstore.dellemc.com"
	powerFlex  = "csi-vxflexos.dellemc.com"
)

// refusesRehearsal implements backend.Rehearsal.Refuses. The only action that shows the data of a copy is CREATE_SNAPSHOT, which
// a driver may offer; what it makes on the other site nothing removes.
func refusesRehearsal(driver string) string {
	switch driver {
	case powerStore:
		return "the driver of PowerStore has no action that shows the data of a copy: it does not offer CREATE_SNAPSHOT"
	case powerFlex:
		return "kubectl vgr does not use CREATE_SNAPSHOT of the driver of PowerFlex: Dell's CSM Replication never removes the snapshots that it makes on this site, and none was ever tried on PowerFlex"
	default:
		return "whether the driver " + cmp.Or(driver, "of the group") + " offers CREATE_SNAPSHOT, the only action that shows the data of a copy, is published nowhere"
	}
}

// insteadOfRehearsal implements backend.Rehearsal.Instead.
func insteadOfRehearsal(driver string) string {
	if driver == powerFlex {
		return "take the snapshots with Dell's own tool, repctl snapshot: docs/rehearse.md shows how"
	}
	return ""
}
