// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Remove implements backend.Adapter. The csi-addons manager takes its own objects apart in the
// order it needs (replication, group, PVC marks); we delete only what we made, and the classes last,
// because nothing leaves without its class. It asks the API server: a cache may not have yet what was made right
// before, and nothing would end that after us.
func (a *Adapter) Remove(ctx context.Context, o backend.Owner, retain bool) (backend.Removal, error) {
	if retain {
		return backend.Removal{Done: true}, nil
	}
	f, err := a.left(ctx, o)
	if err != nil {
		return backend.Removal{}, err
	}
	var left []client.Object
	if f.group != nil {
		left = append(left, f.group)
	}
	for i := range f.volumes {
		left = append(left, &f.volumes[i])
	}
	for _, obj := range left {
		if !obj.GetDeletionTimestamp().IsZero() {
			continue
		}
		if err := client.IgnoreNotFound(a.client.Delete(ctx, obj, uidOf(obj))); err != nil {
			return backend.Removal{}, err
		}
	}
	if len(left) > 0 {
		if err := a.unblock(ctx, f); err != nil {
			return backend.Removal{}, err
		}
		waiting, err := a.whyStays(ctx, f)
		return backend.Removal{Waiting: waiting}, err
	}
	return backend.Removal{Done: true}, a.collectClasses(ctx)
}

// unblock has csi-addons end what it would never end by itself: a replication whose class names no Secret, and a volume
// group that the driver has created and never replicated. ceph-csi does not take the second request to delete such a
// group, and csi-addons sends two; without a handle it sends none.
func (a *Adapter) unblock(ctx context.Context, f found) error {
	for i := range f.volumes {
		if err := a.endWithSecret(ctx, &f.volumes[i]); err != nil {
			return err
		}
	}
	g := f.group
	if g == nil || g.DeletionTimestamp.IsZero() || g.Status.State == replicationv1.PrimaryState || g.Status.State == replicationv1.SecondaryState {
		return nil
	}
	content, err := a.contentOf(ctx, g)
	if absent(err) != nil || content == nil || content.DeletionTimestamp.IsZero() || content.Spec.VolumeGroupReplicationHandle == "" {
		return absent(err)
	}
	var child replicationv1.VolumeReplication
	if err := a.live.Get(ctx, client.ObjectKey{Namespace: g.Namespace, Name: childName(g)}, &child); err == nil || absent(err) != nil {
		return absent(err) // what replicates goes first
	}
	if a.clock.Since(content.DeletionTimestamp.Time) < blockedAfter {
		return nil
	}
	before := content.DeepCopy()
	content.Spec.VolumeGroupReplicationHandle = ""
	return absent(a.client.Patch(ctx, content, optimistic(before)))
}

// blockedAfter is how long csi-addons may take to delete a group; a healthy driver needs less than a second.
const blockedAfter = 15 * time.Second

// left returns what the API server has for an owner. A kind that is not served any more has nothing left.
func (a *Adapter) left(ctx context.Context, o backend.Owner) (found, error) {
	var f found
	if o.Kind == backend.VolumeGroupReplicationKind {
		var group replicationv1.VolumeGroupReplication
		err := a.live.Get(ctx, o.NamespacedName, &group)
		if err == nil && o.Owns(&group) {
			f.group = &group
		}
		if absent(err) != nil {
			return f, err
		}
	}
	var volumes replicationv1.VolumeReplicationList
	err := a.live.List(ctx, &volumes, client.InNamespace(o.Namespace), client.MatchingLabels(o.Labels()))
	f.volumes = volumes.Items
	return f, absent(err)
}

// diverged is the error of a copy that is split from its peer; empty without one.
func diverged(vr *replicationv1.VolumeReplication) string {
	d := meta.FindStatusCondition(vr.Status.Conditions, vgrv1.ConditionDegraded)
	if d == nil || d.Status != metav1.ConditionTrue || d.Reason != replicationv1.Error {
		return ""
	}
	text := strings.ToLower(d.Message)
	if !strings.Contains(text, "split-brain") && !strings.Contains(text, "split brain") && !strings.Contains(text, "state=error") {
		return ""
	}
	return d.Message
}

// released reports whether csi-addons has ended a replication that is being deleted: only others hold the object.
func released(vr *replicationv1.VolumeReplication) bool {
	return !vr.DeletionTimestamp.IsZero() && len(vr.Finalizers) > 0 && !slices.ContainsFunc(vr.Finalizers, func(f string) bool { return strings.HasPrefix(f, replicationv1.GroupVersion.Group) })
}

// absent drops the errors that say that an object or its kind is not there.
func absent(err error) error {
	if meta.IsNoMatchError(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// whyStays explains what csi-addons is doing. It reports the reason for a removal that hangs
// only in its own log, so this is what can be known from outside.
func (a *Adapter) whyStays(ctx context.Context, f found) (string, error) {
	var replication replicationv1.VolumeReplication
	var what, waits string
	if f.group != nil {
		if err := absent(a.live.Get(ctx, client.ObjectKey{Namespace: f.group.Namespace, Name: childName(f.group)}, &replication)); err != nil {
			return "", err
		}
		content, err := a.contentOf(ctx, f.group)
		if absent(err) != nil {
			return "", err
		}
		what, waits = fmt.Sprintf("VolumeGroupReplication %q", f.group.Name), state.WaitsFor("; it waits for ", f.group)
		if content != nil && !content.DeletionTimestamp.IsZero() {
			waits += state.WaitsFor("; VolumeGroupReplicationContent "+content.Name+" waits for ", content)
		}
		if replication.Name != "" && !replication.DeletionTimestamp.IsZero() {
			waits += state.WaitsFor("; VolumeReplication "+replication.Name+" waits for ", &replication)
		}
	} else {
		replication = f.volumes[0]
		what, waits = fmt.Sprintf("VolumeReplication %q", replication.Name), state.WaitsFor("; it waits for ", &replication)
	}
	waiting := fmt.Sprintf("waiting for csi-addons to remove its %s%s", what, waits)
	if replication.Name == "" || released(&replication) {
		return waiting, nil
	}
	var class replicationv1.VolumeReplicationClass
	err := a.live.Get(ctx, client.ObjectKey{Name: replication.Spec.VolumeReplicationClass}, &class)
	if absent(err) != nil {
		return "", err
	}
	if class.Name == "" {
		return waiting + fmt.Sprintf("; its VolumeReplicationClass %q is gone and must be created again", replication.Spec.VolumeReplicationClass), nil
	}
	driver, _, err := driverTrouble(ctx, a.live, class.Spec.Provisioner)
	if absent(err) != nil {
		return "", err
	}
	if driver != "" {
		return waiting + "; " + driver, nil
	}
	if text := diverged(&replication); text != "" {
		return waiting + fmt.Sprintf("; the copy has diverged from its peer (%s), and Ceph does not end the mirroring of such an image through csi-addons; an administrator of Ceph ends it on this site: rbd mirror image disable --force POOL/IMAGE", text), nil
	}
	if replication.Status.State == replicationv1.SecondaryState {
		waiting += "; Ceph disables a secondary only while its peer is primary: if this lasts, promote the peer"
	}
	return waiting, nil
}
