// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Held is one object of a backend that replicates one PVC, made by any tool: what a new group finds.
type Held struct {
	PVC string
	// Object is its kind and name.
	Object string
	// Role is the role that the object asks for or has. It is StateUnknown while the two differ, and empty while
	// the backend has not told it.
	Role vgrv1.State
	// Says are the words of Role for a message.
	Says string
	// Deleting is true when the object is being deleted, and the replication of the PVC ends with it.
	Deleting bool
	// Owner is the group or volume of ours that the object belongs to; the zero value for none.
	Owner Owner
	// Keeper names the tool or object that decides over this one; empty for none.
	Keeper string
	// Open is true when any group takes the object over as it is.
	Open bool
	// Migrates is true when migrate hands the object over.
	Migrates bool
	// As is the name that the group then has to have; empty when any will do.
	As string
	// PeerHandle is the handle of the copy, where the backend tells one.
	PeerHandle string
	// PeerHandleLate is why the handle of the copy has to be told and is not; empty otherwise.
	PeerHandleLate string
}

// Free reports whether a group may take the object over.
func (h Held) Free(group Owner) bool { return h.Owner == group || h.Open && h.Owner == Owner{} }
