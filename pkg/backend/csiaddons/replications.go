// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"fmt"
	"maps"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// replications implements backend.Profile.Replications. The VolumeReplication that csi-addons makes for
// a group of its own is no replication of a PVC.
func replications(ctx context.Context, c client.Reader, namespace string) ([]backend.Replication, error) {
	var in existing
	for list, opts := range map[client.ObjectList][]client.ListOption{
		&in.volumes: {client.InNamespace(namespace)}, &in.pvcs: {client.InNamespace(namespace)}, &in.classes: nil,
	} {
		if err := c.List(ctx, list, opts...); err != nil {
			return nil, err
		}
	}
	if err := installed(c.List(ctx, &in.groups, client.InNamespace(namespace))); err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	if len(in.groups.Items) > 0 {
		for _, list := range []client.ObjectList{&in.groupClasses, &in.contents} {
			if err := c.List(ctx, list); err != nil {
				return nil, err
			}
		}
	}
	var pvs corev1.PersistentVolumeList
	if err := c.List(ctx, &pvs); err != nil && !apierrors.IsForbidden(err) { // without them names are not compared with the peer's
		return nil, err
	}
	out := append(in.replications(), in.ofGroups()...)
	for i := range out {
		out[i].Handle = handleOf(client.ObjectKey{Namespace: out[i].Object.GetNamespace(), Name: out[i].PVC}, pvs.Items)
		out[i].PeerHandle = out[i].Handle // a copy has the handle of its source
	}
	return out, nil
}

// existing is what was listed, of one namespace or of all.
type existing struct {
	volumes      replicationv1.VolumeReplicationList
	groups       replicationv1.VolumeGroupReplicationList
	classes      replicationv1.VolumeReplicationClassList
	groupClasses replicationv1.VolumeGroupReplicationClassList
	contents     replicationv1.VolumeGroupReplicationContentList
	pvcs         corev1.PersistentVolumeClaimList
}

// handleOf returns the handle of the volume that a PVC is bound to.
func handleOf(pvc client.ObjectKey, pvs []corev1.PersistentVolume) string {
	for i := range pvs {
		pv := &pvs[i]
		if ref := pv.Spec.ClaimRef; pv.Status.Phase == corev1.VolumeBound && ref != nil && pv.Spec.CSI != nil && ref.Namespace == pvc.Namespace && ref.Name == pvc.Name {
			return pv.Spec.CSI.VolumeHandle
		}
	}
	return ""
}

// replications returns those of VolumeReplications.
func (in *existing) replications() []backend.Replication {
	byName := map[string]replicationv1.VolumeReplicationClassSpec{}
	for _, class := range in.classes.Items {
		byName[class.Name] = class.Spec
	}
	claims := map[client.ObjectKey]*corev1.PersistentVolumeClaim{}
	for i := range in.pvcs.Items {
		claims[client.ObjectKeyFromObject(&in.pvcs.Items[i])] = &in.pvcs.Items[i]
	}
	var out []backend.Replication
	for i := range in.volumes.Items {
		vr := &in.volumes.Items[i]
		if vr.Spec.DataSource.Kind != pvcKind {
			continue
		}
		r := backend.Replication{
			Object: vr, PVC: vr.Spec.DataSource.Name, State: vgrv1.ReplicationState(vr.Spec.ReplicationState), AutoResync: vr.Spec.AutoResync, RoleField: roleField,
			NotAdoptable: notAdoptable(vr, claims[client.ObjectKey{Namespace: vr.Namespace, Name: vr.Spec.DataSource.Name}]),
		}
		spec, found := byName[vr.Spec.VolumeReplicationClass]
		if !found {
			r.NotAdoptable = fmt.Sprintf("its VolumeReplicationClass %q does not exist", vr.Spec.VolumeReplicationClass)
		}
		r.Class = classLike(vr.Spec.VolumeReplicationClass, spec)
		out = append(out, r)
	}
	return out
}

// roleField is the field of the spec that asks for a role.
const roleField = "replicationState"

// notAdoptable returns why a VolumeReplication cannot be handed over: another controller owns it, or csi-addons
// has not confirmed what it asks for.
func notAdoptable(vr *replicationv1.VolumeReplication, pvc *corev1.PersistentVolumeClaim) string {
	if pvc == nil {
		return "" // which is told of any PVC
	}
	switch {
	case !vr.DeletionTimestamp.IsZero():
		return "it is being deleted"
	case keeper(vr) != "":
		return keeper(vr) + " controls it; two controllers would manage one volume"
	case ofRamen(pvc) != "":
		return ofRamen(pvc)
	case pvc.Annotations[replicationv1.VolumeReplicationNameAnnotation] != vr.Name:
		return "csi-addons has not taken up the PVC for it"
	default:
		return unanswered(vr)
	}
}

// unanswered returns why a VolumeReplication is not at rest.
func unanswered(vr *replicationv1.VolumeReplication) string {
	switch {
	case vr.Status.ObservedGeneration != vr.Generation:
		return "csi-addons has not answered its last change yet"
	case vr.Spec.ReplicationState == replicationv1.Primary && vr.Status.State != replicationv1.PrimaryState,
		vr.Spec.ReplicationState != replicationv1.Primary && vr.Status.State != replicationv1.SecondaryState:
		return fmt.Sprintf("it asks for %s, and csi-addons says %q", vr.Spec.ReplicationState, vr.Status.State)
	case vr.Spec.ReplicationState == replicationv1.Resync:
		return "it is asked to resync"
	default:
		return ""
	}
}

// ofRamen refuses a PVC that Ramen protects: it makes objects for it anew and sets their roles.
func ofRamen(pvc *corev1.PersistentVolumeClaim) string {
	mark := backend.Mark(pvc, ramenGroup)
	if mark == "" {
		return ""
	}
	return fmt.Sprintf("Ramen protects PVC %s (%s) and sets the roles of what replicates it; if Ramen no longer protects it, take that mark off", pvc.Name, mark)
}

// classLike makes a class of ours that replicates each volume as a VolumeReplicationClass does.
func classLike(name string, spec replicationv1.VolumeReplicationClassSpec) backend.Class {
	c := backend.Class{Name: name, Provisioner: spec.Provisioner, Parameters: maps.Clone(spec.Parameters)}
	if c.Parameters == nil {
		c.Parameters = map[string]string{}
	}
	c.Parameters[vgrv1.ParameterConsistencyGroup] = "disabled"
	// Nothing reads the Secret of a group; ours have it always.
	delete(c.Parameters, groupSecretName)
	delete(c.Parameters, groupSecretNamespace)
	if !Profile().Serves(c) {
		c.Parameters[vgrv1.ParameterBackend] = Name
	}
	return c
}
