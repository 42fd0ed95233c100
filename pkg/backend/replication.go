// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Replication is how an object of a backend replicates one PVC, made by any tool. With the labels of
// an Owner it becomes the owner's, and replication continues: nothing else of it changes.
type Replication struct {
	Object client.Object
	PVC    string
	// State and AutoResync are what the object asks for, and has reached unless Unfit says otherwise.
	State      vgrv1.ReplicationState
	AutoResync bool
	// Class has the driver, and the parameters of a class of ours that asks for the same.
	Class Class
	// Handle is what the peer's object names the volume by, and PeerHandle the volume that this one follows, where
	// objects of the backend name each other's volumes.
	Handle, PeerHandle string
	// Whole is set when the object replicates several PVCs as one; each of them is a Replication.
	Whole *Whole
	// RoleField is the field of the object's spec that asks for its role.
	RoleField string
	// NotAdoptable is why it must not be handed over as it is; empty when it may.
	NotAdoptable string
}

// Whole is what a group has to have to take over an object that replicates several PVCs.
type Whole struct {
	Name     string
	Selector *metav1.LabelSelector
}
