// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// derivedClassName returns the name of both csi-addons classes made from one of ours. It changes
// with the content, because the backend's classes are immutable, and it is the same in every
// cluster, so that a peer can be prepared before its controller has seen the class.
func derivedClassName(c backend.Class) string {
	content, err := json.Marshal([]any{c.Provisioner, driverParameters(c.Parameters)})
	if err != nil {
		panic(err) // strings always marshal
	}
	return "vgr-" + shorten(c.Name, 200) + "-" + digest(string(content))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// shorten cuts a DNS name so that it fits and still is one.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	name = name[:limit]
	for name[len(name)-1] == '.' || name[len(name)-1] == '-' {
		name = name[:len(name)-1]
	}
	return name
}

func (d derived) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: d.name,
		Labels: map[string]string{
			vgrv1.LabelManagedBy: vgrv1.ManagedByController,
			vgrv1.LabelClass:     shorten(d.Name, 63),
		},
	}
}

// copyOf is what a class that is made anew has of the old one.
func copyOf(old client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: old.GetName(), Labels: old.GetLabels()}
}

// ensureClass creates what is missing of a derived class. Groups of one class share it.
func (a *Adapter) ensureClass(ctx context.Context, d derived, group bool) error {
	params := driverParameters(d.Parameters)
	wanted := []client.Object{&replicationv1.VolumeReplicationClass{
		ObjectMeta: d.meta(),
		Spec:       replicationv1.VolumeReplicationClassSpec{Provisioner: d.Provisioner, Parameters: params},
	}}
	if group {
		wanted = append(wanted, &replicationv1.VolumeGroupReplicationClass{
			ObjectMeta: d.meta(),
			Spec:       replicationv1.VolumeGroupReplicationClassSpec{Provisioner: d.Provisioner, Parameters: params},
		})
	}
	for _, obj := range wanted {
		found := obj.DeepCopyObject().(client.Object)
		err := a.client.Get(ctx, client.ObjectKeyFromObject(obj), found)
		switch {
		case apierrors.IsNotFound(err):
			err = client.IgnoreAlreadyExists(a.client.Create(ctx, obj))
		case err == nil && found.GetLabels()[vgrv1.LabelManagedBy] == vgrv1.ManagedByController && hasSecret(params) && !hasSecret(parametersOf(found)):
			err = a.replaceClass(ctx, found, obj)
		case err == nil && found.GetLabels()[vgrv1.LabelManagedBy] != vgrv1.ManagedByController:
			return backend.Problemf(vgrv1.ReasonObjectConflict, "%T %q exists and is not ours; rename or delete it", obj, obj.GetName())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parametersOf(class client.Object) map[string]string {
	switch c := class.(type) {
	case *replicationv1.VolumeReplicationClass:
		return c.Spec.Parameters
	case *replicationv1.VolumeGroupReplicationClass:
		return c.Spec.Parameters
	default:
		return nil
	}
}

// collectClasses deletes the derived classes that nothing refers to any more. A group that takes
// one up again at the same moment gets it back: the deletion wakes its reconciler.
func (a *Adapter) collectClasses(ctx context.Context) error {
	var (
		volumeClasses replicationv1.VolumeReplicationClassList
		groupClasses  replicationv1.VolumeGroupReplicationClassList
		volumes       replicationv1.VolumeReplicationList
		groups        replicationv1.VolumeGroupReplicationList
		contents      replicationv1.VolumeGroupReplicationContentList
	)
	ours := client.MatchingLabels{vgrv1.LabelManagedBy: vgrv1.ManagedByController}
	for list, opts := range map[client.ObjectList][]client.ListOption{
		&volumeClasses: {ours}, &groupClasses: {ours}, &volumes: nil, &groups: nil, &contents: nil,
	} {
		if err := absent(a.live.List(ctx, list, opts...)); err != nil {
			return err
		}
	}
	used := map[string]bool{}
	for _, v := range volumes.Items {
		used[v.Spec.VolumeReplicationClass] = true
	}
	for _, g := range groups.Items {
		used[g.Spec.VolumeReplicationClassName], used[g.Spec.VolumeGroupReplicationClassName] = true, true
	}
	for _, c := range contents.Items {
		used[c.Spec.VolumeGroupReplicationClassName] = true
	}
	var unused []client.Object
	for i := range volumeClasses.Items {
		unused = append(unused, &volumeClasses.Items[i])
	}
	for i := range groupClasses.Items {
		unused = append(unused, &groupClasses.Items[i])
	}
	for _, obj := range unused {
		if used[obj.GetName()] {
			continue
		}
		if err := client.IgnoreNotFound(a.client.Delete(ctx, obj, uidOf(obj))); err != nil {
			return err
		}
	}
	return nil
}

// uidOf lets a deletion hit only the very object that was read.
func uidOf(obj client.Object) client.DeleteOption {
	uid := obj.GetUID()
	return client.Preconditions{UID: &uid}
}
