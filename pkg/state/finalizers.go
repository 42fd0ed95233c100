// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// holder is who sets a finalizer, and when it comes off.
type holder struct {
	finalizer string // or all that begin with it, when it ends with a slash
	says      string // {name} and {namespace} are those of the object
}

// holders returns the known ones. Those of one finalizer come before those of all that begin alike.
func holders() []holder {
	return []holder{
		{"kubernetes.io/pvc-protection", "Kubernetes, while a Pod uses the PVC: kubectl describe pvc {name} -n {namespace} names the Pods"},
		{"kubernetes.io/pv-protection", "Kubernetes, while a PVC is bound to it: kubectl get pv {name} names the PVC"},
		{metav1.FinalizerDeleteDependents, "Kubernetes, until the objects that it owns are gone; their finalizers say what they wait for"},
		{metav1.FinalizerOrphanDependents, "Kubernetes, until the objects that it owns are released; its garbage collector must run"},
		{"external-attacher/", "the CSI driver's attacher, while a node has the volume: kubectl get volumeattachments names the node"},
		{"external-provisioner.volume.kubernetes.io/finalizer", "the CSI driver's provisioner, until the storage has deleted the volume: kubectl describe pv {name} shows its errors"},
		{"snapshot.storage.kubernetes.io/pvc-as-source-protection", "the snapshot controller, while a snapshot of the PVC is made: kubectl get volumesnapshots -n {namespace}"},
		{"replication.storage.openshift.io/pvc-protection", "csi-addons, until the PVC's VolumeReplication is gone: kubectl get volumereplications.replication.storage.openshift.io -n {namespace}"},
		{"replication.storage.openshift.io/vgr-protection", "csi-addons, until its VolumeGroupReplication is gone: kubectl get volumegroupreplications.replication.storage.openshift.io -n {namespace}"},
		{"replication.storage.openshift.io", "csi-addons, until its CSI driver has ended the replication; the status of the object has the driver's errors"},
		{"trident.netapp.io", "Trident, until it has ended the mirror relationship; the events of the object have its errors"},
		{"replication.storage.dell.com/", "Dell's CSM Replication, until the array has deleted the group; the events of the object have its errors"},
		{vgrv1.Finalizer, "the controller of kubectl vgr, until the backend's objects are gone; the condition Ready says what it waits for"},
		{"replication.storage.io/finalizer", "the controller of UnifiedVolumeReplication, which kubectl vgr migrate replaces"},
	}
}

// WaitsFor returns a joint and, after it, the finalizers that an object being deleted waits for, with who holds each and
// what to do about it; empty without any.
func WaitsFor(joint string, obj metav1.Object) string {
	if len(obj.GetFinalizers()) == 0 {
		return ""
	}
	all := make([]string, 0, len(obj.GetFinalizers()))
	for _, f := range obj.GetFinalizers() {
		all = append(all, f+" ("+heldBy(f, obj)+")")
	}
	return joint + strings.Join(all, ", ")
}

// heldBy says who holds a finalizer of an object.
func heldBy(finalizer string, obj metav1.Object) string {
	for _, h := range holders() {
		if finalizer == h.finalizer || strings.HasSuffix(h.finalizer, "/") && strings.HasPrefix(finalizer, h.finalizer) {
			return strings.NewReplacer("{name}", obj.GetName(), "{namespace}", obj.GetNamespace()).Replace(h.says)
		}
	}
	return "of another tool, which must take it off"
}
