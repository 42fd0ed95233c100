// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"errors"
	"fmt"
	"slices"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// found is what exists in the cluster for an owner: a backend group, or one replication per volume.
type found struct {
	group *replicationv1.VolumeGroupReplication
	// foreign is true of a backend group of the owner's name that others made.
	foreign bool
	volumes []replicationv1.VolumeReplication
}

func (a *Adapter) find(ctx context.Context, o backend.Owner) (found, error) {
	var f found
	if o.Kind == backend.VolumeGroupReplicationKind {
		var group replicationv1.VolumeGroupReplication
		err := a.client.Get(ctx, o.NamespacedName, &group)
		if err == nil && o.Owns(&group) {
			f.group = &group
		}
		f.foreign = err == nil && f.group == nil
		if client.IgnoreNotFound(err) != nil {
			return f, err
		}
	}
	var volumes replicationv1.VolumeReplicationList
	if err := a.client.List(ctx, &volumes, o.Owned()...); err != nil {
		return f, err
	}
	f.volumes = volumes.Items
	return f, nil
}

// grouped reports whether the owner is, or will be, served by a backend group. What exists wins over the class, which
// may have been deleted or made anew, and whose default may have been another one; so does what existed last.
func (f found) grouped(g backend.Group) bool {
	switch {
	case g.Single() || len(f.volumes) > 0:
		return false
	case f.group != nil || g.Source != nil:
		return true
	case g.Served != nil && g.Served.Kind == groupKind:
		return true
	default:
		return !perVolume(g.Class)
	}
}

// Apply implements backend.Adapter.
func (a *Adapter) Apply(ctx context.Context, g backend.Group) error {
	f, err := a.find(ctx, g.Owner)
	if err != nil {
		return err
	}
	if problem := refused(g, f); problem != nil {
		return problem
	}
	if g.Class.Name != "" && (g.Blocked == nil || f.group != nil || len(f.volumes) > 0) {
		for _, class := range classesOf(g, f) {
			if err := a.ensureClass(ctx, class, f.grouped(g)); err != nil {
				return err
			}
		}
	}
	if f.grouped(g) {
		return a.applyGroup(ctx, g, f.group)
	}
	return a.applyVolumes(ctx, g, f.volumes)
}

// refused returns why csi-addons is asked for nothing: with some objects primary and others not, the group is not
// primary yet. It is pure.
func refused(g backend.Group, f found) *backend.Problem {
	if f.grouped(g) {
		if f.group == nil {
			return g.Begin()
		}
		return change(g, groupKind, f.group, f.group.Spec.ReplicationState)
	}
	there := map[string]bool{}
	for i := range f.volumes {
		vr := &f.volumes[i]
		pvc := vr.Spec.DataSource.Name
		member := slices.ContainsFunc(g.Members, func(m backend.Member) bool { return m.PVC == pvc })
		if there[pvc] = true; !member && g.Blocked == nil {
			continue // it is deleted
		}
		if problem := change(g, volumeKind, vr, vr.Spec.ReplicationState); problem != nil {
			return problem
		}
	}
	if slices.ContainsFunc(g.Members, func(m backend.Member) bool { return !there[m.PVC] }) {
		return g.Begin()
	}
	return nil
}

func change(g backend.Group, kind string, obj client.Object, asks replicationv1.ReplicationState) *backend.Problem {
	if !obj.GetDeletionTimestamp().IsZero() {
		return nil // it is made anew once it is gone
	}
	return g.Switch(asks == replicationv1.Primary, obj.GetCreationTimestamp(), fmt.Sprintf("csi-addons %s %s asks for %s", kind, obj.GetName(), asks))
}

func (a *Adapter) applyGroup(ctx context.Context, g backend.Group, group *replicationv1.VolumeGroupReplication) error {
	switch {
	case group == nil && g.Blocked != nil:
		return nil //nolint:nilerr // the hold is reported by who set it
	case group == nil:
		return a.createGroup(ctx, g)
	case !group.DeletionTimestamp.IsZero():
		return nil // Observe says so
	case !equality.Semantic.DeepEqual(group.Spec.Source.Selector, g.Selector):
		return backend.Problemf(vgrv1.ReasonObjectConflict,
			"the csi-addons VolumeGroupReplication %q left by an earlier group selects other PVCs (%s); give the group that selector or another name; to delete that object ends its replication",
			group.Name, metav1.FormatLabelSelector(group.Spec.Source.Selector))
	}
	if state := replicationv1.ReplicationState(g.State); group.Spec.ReplicationState != state || group.Spec.AutoResync != g.AutoResync {
		before := group.DeepCopy()
		group.Spec.ReplicationState, group.Spec.AutoResync = state, g.AutoResync
		if err := a.client.Patch(ctx, group, optimistic(before)); err != nil {
			return err
		}
	}
	if g.Blocked != nil {
		return nil //nolint:nilerr // the hold is reported by who set it
	}
	return a.updateMembers(ctx, g, group)
}

func optimistic(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

func (a *Adapter) createGroup(ctx context.Context, g backend.Group) error {
	if err := a.checkClaims(ctx, g, g.Members, claim{group: g.Owner.Name}); err != nil {
		return err
	}
	class, problem := ofGroup(g.Class, g.Members)
	if problem != nil {
		return problem
	}
	group := &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Owner.Namespace, Name: g.Owner.Name, Labels: g.Owner.Labels()},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: derivedClassName(class),
			VolumeReplicationClassName:      derivedClassName(class),
			Source:                          replicationv1.VolumeGroupReplicationSource{Selector: g.Selector},
			ReplicationState:                replicationv1.ReplicationState(g.State),
			AutoResync:                      g.AutoResync,
		},
	}
	if g.Source != nil {
		content, err := a.adoptable(ctx, g)
		if err != nil {
			return err
		}
		group.Spec.VolumeGroupReplicationContentName = content
	}
	err := a.client.Create(ctx, group)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	var there replicationv1.VolumeGroupReplication
	if err := a.client.Get(ctx, g.Owner.NamespacedName, &there); err != nil || g.Owner.Owns(&there) {
		return client.IgnoreNotFound(err) // ours, and not in the cache when we looked
	}
	return backend.Problemf(vgrv1.ReasonObjectConflict,
		"a csi-addons VolumeGroupReplication %[1]q that kubectl vgr did not make exists in the namespace; hand it over with kubectl vgr migrate --from csi-addons %[1]s --into %[1]s -n %[2]s, or give the group another name; to delete that object ends its replication", g.Owner.Name, g.Owner.Namespace)
}

// adoptable checks that spec.source names a content that this group may take.
func (a *Adapter) adoptable(ctx context.Context, g backend.Group) (string, error) {
	if g.Class.Parameters[vgrv1.ParameterConsistencyGroup] == "disabled" {
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "spec.source names a group of the storage, and class %q has consistencyGroup \"disabled\"; take spec.source away, or use a class with consistencyGroup \"enabled\"", g.Class.Name)
	}
	if g.Source.Kind != "VolumeGroupReplicationContent" {
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source.kind is %s; %s adopts a VolumeGroupReplicationContent", g.Source.Kind, Name)
	}
	var content replicationv1.VolumeGroupReplicationContent
	err := a.client.Get(ctx, client.ObjectKey{Name: g.Source.Name}, &content)
	if apierrors.IsNotFound(err) {
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q does not exist; create it first", g.Source.Name)
	}
	if err != nil {
		return "", err
	}
	ref, group := content.Spec.VolumeGroupReplicationRef, g.Owner.String()
	switch prepared := content.Annotations[vgrv1.AnnotationPreparedFor]; {
	case content.Spec.Provisioner != g.Class.Provisioner:
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q belongs to driver %s, the class to %s",
			content.Name, content.Spec.Provisioner, g.Class.Provisioner)
	case ref != nil && (ref.Namespace != g.Owner.Namespace || ref.Name != g.Owner.Name):
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q is bound to %s/%s already",
			content.Name, ref.Namespace, ref.Name)
	case ref == nil && prepared == "":
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q does not say which group it is for; if it is for this one, set its annotation %s: %s",
			content.Name, vgrv1.AnnotationPreparedFor, group)
	case ref == nil && prepared != group:
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q was prepared for another group", content.Name)
	case !content.DeletionTimestamp.IsZero():
		return "", backend.Problemf(vgrv1.ReasonSourceInvalid, "source VolumeGroupReplicationContent %q is being deleted", content.Name)
	}
	return content.Name, nil
}

// updateMembers hands a changed membership to csi-addons. It does not watch PVC labels; a
// changed content wakes its group controller, which then finds the same members by itself.
func (a *Adapter) updateMembers(ctx context.Context, g backend.Group, group *replicationv1.VolumeGroupReplication) error {
	content, err := a.contentOf(ctx, group)
	if err != nil || content == nil || content.Spec.VolumeGroupReplicationHandle == "" || !content.DeletionTimestamp.IsZero() {
		return err
	}
	handles := handlesOf(g.Members)
	if content.Spec.VolumeGroupReplicationRef == nil || slices.Equal(handles, sorted(content.Spec.Source.VolumeHandles)) {
		return nil
	}
	joining := slices.DeleteFunc(slices.Clone(g.Members), func(m backend.Member) bool {
		return slices.Contains(content.Spec.Source.VolumeHandles, m.Handle)
	})
	if err := a.checkClaims(ctx, g, joining, claim{group: group.Name}); err != nil {
		return err
	}
	before := content.DeepCopy()
	content.Spec.Source.VolumeHandles = handles
	return a.client.Patch(ctx, content, optimistic(before))
}

func (a *Adapter) contentOf(ctx context.Context, group *replicationv1.VolumeGroupReplication) (*replicationv1.VolumeGroupReplicationContent, error) {
	if group.Spec.VolumeGroupReplicationContentName == "" {
		return nil, nil
	}
	var content replicationv1.VolumeGroupReplicationContent
	err := a.client.Get(ctx, client.ObjectKey{Name: group.Spec.VolumeGroupReplicationContentName}, &content)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &content, err
}

func (a *Adapter) applyVolumes(ctx context.Context, g backend.Group, existing []replicationv1.VolumeReplication) error {
	var errs []error
	missing := map[string]backend.Member{}
	for _, m := range g.Members {
		missing[m.PVC] = m
	}
	state := replicationv1.ReplicationState(g.State)
	for i := range existing {
		vr := &existing[i]
		pvc := vr.Spec.DataSource.Name // the name is not ours when it was handed over
		_, stays := missing[pvc]
		delete(missing, pvc)
		switch {
		case !vr.DeletionTimestamp.IsZero():
		case !stays && g.Blocked == nil:
			errs = append(errs, client.IgnoreNotFound(a.client.Delete(ctx, vr, uidOf(vr))))
		case vr.Spec.ReplicationState != state || vr.Spec.AutoResync != g.AutoResync:
			before := vr.DeepCopy()
			vr.Spec.ReplicationState, vr.Spec.AutoResync = state, g.AutoResync
			errs = append(errs, a.client.Patch(ctx, vr, optimistic(before)))
		}
	}
	if g.Blocked != nil {
		return errors.Join(errs...)
	}
	for _, m := range g.Members {
		if _, create := missing[m.PVC]; create {
			errs = append(errs, a.createVolume(ctx, g, m, volumeName(g.Owner, m.PVC)))
		}
	}
	return errors.Join(errs...)
}

func (a *Adapter) createVolume(ctx context.Context, g backend.Group, m backend.Member, name string) error {
	if err := a.checkClaims(ctx, g, []backend.Member{m}, claim{volume: name}); err != nil {
		return err
	}
	if problem := secretMissing(g.Class, m); problem != nil {
		return problem
	}
	vr := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Owner.Namespace, Name: name, Labels: g.Owner.Labels()},
		Spec: replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: derivedClassName(withSecret(g.Class, m.Secret)),
			ReplicationState:       replicationv1.ReplicationState(g.State),
			AutoResync:             g.AutoResync,
			DataSource:             corev1.TypedLocalObjectReference{Kind: pvcKind, Name: m.PVC},
		},
	}
	err := a.client.Create(ctx, vr)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	var there replicationv1.VolumeReplication
	if err := a.client.Get(ctx, client.ObjectKeyFromObject(vr), &there); err != nil || g.Owner.Owns(&there) {
		return client.IgnoreNotFound(err)
	}
	return backend.Problemf(vgrv1.ReasonObjectConflict, "a csi-addons VolumeReplication %q that kubectl vgr did not make exists in the namespace; hand it over with kubectl vgr migrate, or give the group another name", name)
}

// volumeName returns the name of the csi-addons VolumeReplication of one PVC.
func volumeName(o backend.Owner, pvc string) string {
	if o.Kind == backend.VolumeReplicationKind {
		return o.Name
	}
	if name := o.Name + "-" + pvc; len(name) <= 253 {
		return name
	}
	return shorten(o.Name+"-"+pvc, 240) + "-" + digest(pvc)
}

func handlesOf(members []backend.Member) []string {
	handles := make([]string, 0, len(members))
	for _, m := range members {
		handles = append(handles, m.Handle)
	}
	return sorted(handles)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
