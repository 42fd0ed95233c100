// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// ofGroups returns those of VolumeGroupReplications, each with all its PVCs. The adapter finds the object of a group
// by the group's name and never changes its selector, so a group takes it over with both.
func (in *existing) ofGroups() []backend.Replication {
	var out []backend.Replication
	for i := range in.groups.Items {
		g := &in.groups.Items[i]
		class, problem := in.classOf(g)
		if why := in.notAdoptable(g); why != "" {
			problem = why
		}
		r := backend.Replication{
			Object: g, State: vgrv1.ReplicationState(g.Spec.ReplicationState), AutoResync: g.Spec.AutoResync, RoleField: roleField,
			Class: class, NotAdoptable: problem, Whole: &backend.Whole{Name: g.Name, Selector: g.Spec.Source.Selector},
		}
		members := in.members(g)
		if len(members) == 0 {
			r.NotAdoptable = "it selects no PVCs"
			out = append(out, r)
		}
		for _, pvc := range members {
			r.PVC = pvc.Name
			out = append(out, r)
		}
	}
	return out
}

// members returns the PVCs that a group selects or has.
func (in *existing) members(g *replicationv1.VolumeGroupReplication) []*corev1.PersistentVolumeClaim {
	var out []*corev1.PersistentVolumeClaim
	for i := range in.pvcs.Items {
		if pvc := &in.pvcs.Items[i]; pvc.Namespace == g.Namespace && hasMember(g, pvc) {
			out = append(out, pvc)
		}
	}
	return out
}

// notAdoptable returns why a VolumeGroupReplication cannot be handed over: another controller owns it, or csi-addons has not
// confirmed what it asks for, of every PVC.
func (in *existing) notAdoptable(g *replicationv1.VolumeGroupReplication) string {
	child := in.child(g)
	switch {
	case !g.DeletionTimestamp.IsZero():
		return "it is being deleted"
	case keeper(g) != "":
		return keeper(g) + " controls it; two controllers would manage one group"
	case g.Spec.External:
		return "it is external: the storage vendor's controller answers it, not csi-addons"
	}
	for _, pvc := range in.members(g) {
		if why := ofRamen(pvc); why != "" {
			return why
		}
		if pvc.Annotations[replicationv1.VolumeGroupReplicationNameAnnotation] != g.Name {
			return fmt.Sprintf("csi-addons has not taken up PVC %s for it", pvc.Name)
		}
	}
	switch {
	case in.handle(g) == "":
		return "the driver has not created its volume group"
	case child == nil:
		return "csi-addons has not made its VolumeReplication yet"
	case child.Spec.ReplicationState != g.Spec.ReplicationState || child.Spec.AutoResync != g.Spec.AutoResync:
		return "csi-addons has not taken up its last change yet"
	default:
		return unanswered(child)
	}
}

func (in *existing) child(g *replicationv1.VolumeGroupReplication) *replicationv1.VolumeReplication {
	for i := range in.volumes.Items {
		if vr := &in.volumes.Items[i]; vr.Namespace == g.Namespace && vr.Name == childName(g) {
			return vr
		}
	}
	return nil
}

// handle returns the handle of a group that the driver has created.
func (in *existing) handle(g *replicationv1.VolumeGroupReplication) string {
	for i := range in.contents.Items {
		if c := &in.contents.Items[i]; c.Name == g.Spec.VolumeGroupReplicationContentName && c.DeletionTimestamp.IsZero() {
			return c.Spec.VolumeGroupReplicationHandle
		}
	}
	return ""
}

// classOf makes a class of ours that replicates as the two classes of a group do, or says why that is not possible.
func (in *existing) classOf(g *replicationv1.VolumeGroupReplication) (class backend.Class, problem string) {
	group := slices.IndexFunc(in.groupClasses.Items, func(c replicationv1.VolumeGroupReplicationClass) bool {
		return c.Name == g.Spec.VolumeGroupReplicationClassName
	})
	volume := slices.IndexFunc(in.classes.Items, func(c replicationv1.VolumeReplicationClass) bool {
		return c.Name == g.Spec.VolumeReplicationClassName
	})
	class = backend.Class{Name: g.Spec.VolumeGroupReplicationClassName, Parameters: map[string]string{}}
	switch {
	case group < 0:
		return class, fmt.Sprintf("its VolumeGroupReplicationClass %q does not exist", g.Spec.VolumeGroupReplicationClassName)
	case volume < 0:
		return class, fmt.Sprintf("its VolumeReplicationClass %q does not exist", g.Spec.VolumeReplicationClassName)
	}
	ofGroup, ofVolume := in.groupClasses.Items[group].Spec, in.classes.Items[volume].Spec
	class.Provisioner = ofGroup.Provisioner
	maps.Copy(class.Parameters, ofVolume.Parameters)
	maps.Copy(class.Parameters, ofGroup.Parameters)
	class.Parameters[vgrv1.ParameterConsistencyGroup] = "enabled"
	if !Profile().Serves(class) {
		class.Parameters[vgrv1.ParameterBackend] = Name
	}
	var differ []string
	if ofGroup.Provisioner != ofVolume.Provisioner {
		differ = append(differ, "provisioner")
	}
	for _, key := range slices.Sorted(maps.Keys(ofVolume.Parameters)) {
		if value, both := ofGroup.Parameters[key]; both && value != ofVolume.Parameters[key] {
			differ = append(differ, key)
		}
	}
	if len(differ) > 0 {
		return class, fmt.Sprintf("its VolumeGroupReplicationClass and VolumeReplicationClass differ in %s; a class of kubectl vgr has one value", strings.Join(differ, ", "))
	}
	return class, ""
}
