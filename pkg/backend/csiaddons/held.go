// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// destinationInfo is the condition of csi-addons after v0.14 that reports whether the copy's handle is known.
const destinationInfo = "DestinationInfoAvailable"

// held implements backend.Profile.Held.
func held(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]backend.Held, error) {
	volumes, err := heldByVolumes(ctx, c, namespace, pvcs)
	if err != nil {
		return nil, err
	}
	groups, err := heldByGroups(ctx, c, namespace, pvcs)
	return append(volumes, groups...), err
}

// heldByVolumes reads VolumeReplications without their type, which has not all fields of newer csi-addons.
func heldByVolumes(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]backend.Held, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(replicationv1.GroupVersion.WithKind("VolumeReplicationList"))
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, installed(err)
	}
	var out []backend.Held
	for i := range list.Items {
		var vr replicationv1.VolumeReplication
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &vr); err != nil {
			return nil, fmt.Errorf("VolumeReplication %s: %w", list.Items[i].GetName(), err)
		}
		if vr.Spec.DataSource.Kind != pvcKind || !slices.Contains(pvcs, vr.Spec.DataSource.Name) {
			continue
		}
		h := heldBy(&vr, volumeKind, vr.Spec.ReplicationState, vr.Status.State)
		h.PVC = vr.Spec.DataSource.Name
		h.Migrates = h.Keeper == ""
		h.PeerHandle, _, _ = unstructured.NestedString(list.Items[i].Object, "status", "destinationVolumeID")
		if told := meta.FindStatusCondition(vr.Status.Conditions, destinationInfo); told != nil && told.Status != metav1.ConditionTrue {
			h.PeerHandleLate = cmp.Or(told.Message, told.Reason)
		}
		out = append(out, h)
	}
	return out, nil
}

func heldByGroups(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]backend.Held, error) {
	var groups replicationv1.VolumeGroupReplicationList
	if err := c.List(ctx, &groups, client.InNamespace(namespace)); err != nil {
		return nil, installed(err)
	}
	if len(groups.Items) == 0 {
		return nil, nil
	}
	var claims corev1.PersistentVolumeClaimList
	if err := c.List(ctx, &claims, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var out []backend.Held
	for i := range groups.Items {
		g := &groups.Items[i]
		h := heldBy(g, groupKind, g.Spec.ReplicationState, g.Status.State)
		if h.Keeper == "" && g.Spec.External {
			h.Keeper = "the storage vendor's controller (spec.external)"
		}
		h.Migrates, h.As = h.Keeper == "", g.Name
		var handles map[string]string
		for _, pvc := range claims.Items {
			if !slices.Contains(pvcs, pvc.Name) || !hasMember(g, &pvc) {
				continue
			}
			if handles == nil {
				var err error
				if handles, err = destinations(ctx, c, g); err != nil {
					return nil, err
				}
			}
			h.PVC, h.PeerHandle = pvc.Name, handles[pvc.Spec.VolumeName]
			out = append(out, h)
		}
	}
	return out, nil
}

func hasMember(g *replicationv1.VolumeGroupReplication, pvc *corev1.PersistentVolumeClaim) bool {
	named := slices.ContainsFunc(g.Status.PersistentVolumeClaimsRefList, func(r corev1.LocalObjectReference) bool { return r.Name == pvc.Name })
	selector, err := metav1.LabelSelectorAsSelector(g.Spec.Source.Selector)
	return named || err == nil && selector.Matches(labels.Set(pvc.Labels))
}

// destinations returns the handles of the copies by the names of the volumes, where csi-addons tells them.
func destinations(ctx context.Context, c client.Reader, g *replicationv1.VolumeGroupReplication) (map[string]string, error) {
	handles := map[string]string{}
	if g.Spec.VolumeGroupReplicationContentName == "" {
		return handles, nil
	}
	var content unstructured.Unstructured
	content.SetGroupVersionKind(replicationv1.GroupVersion.WithKind("VolumeGroupReplicationContent"))
	if err := c.Get(ctx, client.ObjectKey{Name: g.Spec.VolumeGroupReplicationContentName}, &content); err != nil {
		return handles, client.IgnoreNotFound(err)
	}
	mappings, _, _ := unstructured.NestedSlice(content.Object, "status", "persistentVolumeMappingList")
	for _, m := range mappings {
		if one, ok := m.(map[string]any); ok {
			name, _, _ := unstructured.NestedString(one, "name")
			handles[name], _, _ = unstructured.NestedString(one, "destinationVolumeHandle")
		}
	}
	return handles, nil
}

// installed makes a list that is not served an empty one.
func installed(err error) error {
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	return err
}

// heldBy returns what a VolumeReplication or VolumeGroupReplication of csi-addons says of itself. One that is asked to
// resync is a secondary.
func heldBy(obj client.Object, kind string, asks replicationv1.ReplicationState, said replicationv1.State) backend.Held {
	h := backend.Held{
		Object: kind + " " + obj.GetName(), Role: vgrv1.StateSecondary, Says: fmt.Sprintf("asks for %s", asks),
		Deleting: !obj.GetDeletionTimestamp().IsZero(), Keeper: keeper(obj),
	}
	if owners := backend.OwnersOf(obj); len(owners) > 0 {
		h.Owner = owners[0]
	}
	switch {
	case asks == replicationv1.Primary && said == replicationv1.SecondaryState:
		h.Role, h.Says = vgrv1.StateUnknown, fmt.Sprintf("asks for %s, and csi-addons says %s", asks, said)
	case asks == replicationv1.Primary:
		h.Role = vgrv1.StatePrimary
	}
	return h
}

// ramenGroup is the API group of Ramen, which marks some of its objects by a reference and some by labels only.
const ramenGroup = "ramendr.openshift.io"

// keeper returns who decides over an object; empty for who wrote it by hand.
func keeper(obj client.Object) string {
	l := obj.GetLabels()
	vrg := l[ramenGroup+"/owner-name"]
	for _, o := range obj.GetOwnerReferences() {
		if o.Kind == "VolumeReplicationGroup" {
			vrg = o.Name
		}
	}
	mark := backend.Mark(obj, ramenGroup)
	switch c := metav1.GetControllerOf(obj); {
	case vrg != "" || l[ramenGroup+"/created-by-ramen"] != "":
		return "Ramen's VolumeReplicationGroup " + cmp.Or(vrg, obj.GetName())
	case mark != "":
		return fmt.Sprintf("Ramen (%s)", mark)
	case c != nil:
		return c.Kind + " " + c.Name
	default:
		return ""
	}
}

// unlike implements backend.Profile.Unlike: a group's content that has another handle would have the peer follow
// another group.
func unlike(wanted, there []client.Object) string {
	for i := range wanted {
		w, ok := wanted[i].(*replicationv1.VolumeGroupReplicationContent)
		if !ok || there[i] == nil {
			continue
		}
		t, ok := there[i].(*replicationv1.VolumeGroupReplicationContent)
		switch {
		case !ok || t.Spec.Provisioner != w.Spec.Provisioner:
			return fmt.Sprintf("VolumeGroupReplicationContent %s is of another driver", w.Name)
		case w.Spec.VolumeGroupReplicationHandle != "" && t.Spec.VolumeGroupReplicationHandle != w.Spec.VolumeGroupReplicationHandle:
			return fmt.Sprintf("VolumeGroupReplicationContent %s has the handle %q, the group has %q", w.Name, t.Spec.VolumeGroupReplicationHandle, w.Spec.VolumeGroupReplicationHandle)
		}
	}
	return ""
}

// ending implements backend.Profile.Ending.
func ending() map[vgrv1.State]string {
	return map[vgrv1.State]string{
		vgrv1.StatePrimary:   "Ceph removes the images of the copies within seconds; their PersistentVolumes and PVCs stay on the other site, without data",
		vgrv1.StateSecondary: "csi-addons no longer watches the copies; Ceph updates them further, and removes their images when the primary's replication ends",
	}
}
