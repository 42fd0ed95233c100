// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

// refusesRehearsal implements backend.Rehearsal.Refuses. Trident can clone a copy from a snapshot that has come through to it,
// but of a copy it lists no snapshots, so a clone would be of one that the source had to be asked for.
func refusesRehearsal(string) string {
	return "kubectl vgr does not clone copies of Trident: it makes a FlexClone of a snapshot that SnapMirror has transferred, does not say which these are, and none was ever tried on ONTAP"
}

// insteadOfRehearsal implements backend.Rehearsal.Instead.
func insteadOfRehearsal(string) string {
	return "clone a snapshot of the source by hand, with Trident's own objects: docs/rehearse.md shows how"
}
