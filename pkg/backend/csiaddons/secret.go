// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"fmt"
	"maps"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// withSecret is a class with the Secret that a volume names, where the class names none: csi-addons' sidecar refuses
// every call without one.
func withSecret(c backend.Class, secret types.NamespacedName) backend.Class {
	if hasSecret(c.Parameters) || secret.Name == "" || secret.Namespace == "" {
		return c
	}
	out := c
	if out.Parameters = maps.Clone(c.Parameters); out.Parameters == nil {
		out.Parameters = map[string]string{}
	}
	out.Parameters[secretName], out.Parameters[secretNamespace] = secret.Name, secret.Namespace
	return out
}

func hasSecret(params map[string]string) bool {
	return params[secretName] != "" || params[groupSecretName] != ""
}

// secretOf is the Secret that a volume names; empty for none.
func secretOf(pv *corev1.PersistentVolume) types.NamespacedName {
	if pv.Spec.CSI == nil || pv.Spec.CSI.ControllerExpandSecretRef == nil {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: pv.Spec.CSI.ControllerExpandSecretRef.Namespace, Name: pv.Spec.CSI.ControllerExpandSecretRef.Name}
}

// secretMissing is that Ceph could replicate nothing, and that what is made for it could not be deleted.
func secretMissing(c backend.Class, m backend.Member) *backend.Problem {
	if hasSecret(withSecret(c, m.Secret).Parameters) || !backend.ServesDriver(cephDrivers(), c.Provisioner) {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonInvalidParameters,
		"the driver needs a Secret: class %q names none, and neither does PersistentVolume %s of PVC %s (spec.csi.controllerExpandSecretRef); create a class with the parameters %s and %s, and the group with that class",
		c.Name, m.PV, m.PVC, secretName, secretNamespace)
}

// ofGroup is the class of all volumes of a group, which get one Secret.
func ofGroup(c backend.Class, members []backend.Member) (backend.Class, *backend.Problem) {
	var secret types.NamespacedName
	for _, m := range members {
		if problem := secretMissing(c, m); problem != nil {
			return c, problem
		}
		if !hasSecret(c.Parameters) && secret.Name != "" && m.Secret != secret {
			return c, backend.Problemf(vgrv1.ReasonInvalidParameters, "the volumes name different Secrets, %s and %s, and a group has one; create a class with the parameters %s and %s",
				secret, m.Secret, secretName, secretNamespace)
		}
		secret = m.Secret
	}
	return withSecret(c, secret), nil
}

// derived is a class of csi-addons: its name, and our class that says what is in it.
type derived struct {
	name string
	backend.Class
}

// classesOf are the classes of csi-addons that a group needs: those of its members, and those that its objects refer to.
// Objects from before the volumes' Secrets were taken refer to one that has none, and which can be of no use.
func classesOf(g backend.Group, f found) []derived {
	var all []derived
	known := map[string]bool{}
	add := func(name string, c backend.Class) {
		if !known[name] {
			known[name] = true
			all = append(all, derived{name, c})
		}
	}
	members := map[string]backend.Class{}
	for _, m := range g.Members {
		c := withSecret(g.Class, m.Secret)
		members[m.PVC] = c
		if secretMissing(g.Class, m) == nil {
			add(derivedClassName(c), c)
		}
	}
	old := derivedClassName(g.Class)
	if f.group != nil && (f.group.Spec.VolumeReplicationClassName == old || f.group.Spec.VolumeGroupReplicationClassName == old) {
		c, _ := ofGroup(g.Class, g.Members)
		add(old, c)
	}
	for i := range f.volumes {
		if vr := &f.volumes[i]; vr.Spec.VolumeReplicationClass == old {
			if c, member := members[vr.Spec.DataSource.Name]; member {
				add(old, c)
			} else {
				add(old, g.Class)
			}
		}
	}
	return all
}

// endWithSecret gives the class of what is being deleted the Secret that its volume names, where it has none: without
// one csi-addons does not end a replication, not even one that never began.
func (a *Adapter) endWithSecret(ctx context.Context, vr *replicationv1.VolumeReplication) error {
	var class replicationv1.VolumeReplicationClass
	if err := absent(a.live.Get(ctx, client.ObjectKey{Name: vr.Spec.VolumeReplicationClass}, &class)); err != nil || class.Name == "" {
		return err
	}
	if hasSecret(class.Spec.Parameters) || class.Labels[vgrv1.LabelManagedBy] != vgrv1.ManagedByController || vr.Spec.DataSource.Kind != pvcKind {
		return nil
	}
	var pvc corev1.PersistentVolumeClaim
	if err := absent(a.client.Get(ctx, client.ObjectKey{Namespace: vr.Namespace, Name: vr.Spec.DataSource.Name}, &pvc)); err != nil || pvc.Spec.VolumeName == "" {
		return err
	}
	var pv corev1.PersistentVolume
	if err := absent(a.client.Get(ctx, client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv)); err != nil {
		return err
	}
	with := withSecret(backend.Class{Provisioner: class.Spec.Provisioner, Parameters: class.Spec.Parameters}, secretOf(&pv))
	if !hasSecret(with.Parameters) {
		return nil
	}
	return a.replaceClass(ctx, &class, &replicationv1.VolumeReplicationClass{
		ObjectMeta: copyOf(&class), Spec: replicationv1.VolumeReplicationClassSpec{Provisioner: class.Spec.Provisioner, Parameters: driverParameters(with.Parameters)},
	})
}

// replaceClass makes a class anew, since csi-addons' cannot be changed.
func (a *Adapter) replaceClass(ctx context.Context, old, made client.Object) error {
	if err := client.IgnoreNotFound(a.client.Delete(ctx, old, uidOf(old))); err != nil {
		return fmt.Errorf("replace class %s: %w", old.GetName(), err)
	}
	return client.IgnoreAlreadyExists(a.client.Create(ctx, made))
}
