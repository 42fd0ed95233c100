// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// returning is what is left of a migration on this site.
type returning struct {
	owner backend.Owner
	group *vgrv1.VolumeGroupReplication // nil when it is gone already
	// objects are the backend's, whose labels name the group.
	objects []client.Object
	pvcs    []corev1.PersistentVolumeClaim
}

// giveBack undoes migrations: the groups go without touching the replication, and the labels go.
func (m *migrating) giveBack(ctx context.Context, e *cli.Env, p cli.Pair, c client.WithWatch, names []string, mode cli.DryRun) error {
	r := reader{site: p.Here, client: c, profiles: e.Profiles}
	var all []returning
	for _, name := range names {
		back, err := r.returning(ctx, e.Sites.Namespace(), name)
		if err != nil {
			return err
		}
		back.show(e, p.Here)
		all = append(all, back)
	}
	if mode == cli.DryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := e.Confirm(m.Yes || mode == cli.DryRunServer, names); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.timeout, cli.ErrTimeout)
	defer cancel()
	h := handover{env: e, site: p.Here, client: c, dryRun: mode == cli.DryRunServer}
	for _, back := range all {
		if err := h.giveBack(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

// returning finds what a group has, whether or not an earlier rollback has begun.
func (r reader) returning(ctx context.Context, namespace, name string) (returning, error) {
	back := returning{owner: backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}}
	var group vgrv1.VolumeGroupReplication
	err := r.client.Get(ctx, back.owner.NamespacedName, &group)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return back, cli.SiteError(ctx, r.site, "read group "+name, err)
	case err == nil && group.Annotations[migration.AnnotationFrom] == "":
		return back, clierror.Refused(fmt.Sprintf("kubectl vgr delete %s -n %s --context %s removes it and leaves its replication", name, namespace, r.site.Flag()), "group %s/%s on %s was not migrated", namespace, name, r.site.Name)
	case err == nil:
		if op, err := recovery.Journal(&group); err == nil && op.InFlight() {
			return back, clierror.Refused(strings.Join(cli.Ways(op, &group), "\n"), "%s is in flight for group %s/%s on %s", op, namespace, name, r.site.Name)
		}
		back.group = &group
	}
	for _, p := range r.profiles {
		if p.Replications == nil {
			continue
		}
		found, err := p.Replications(ctx, r.client, namespace)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return back, cli.SiteError(ctx, r.site, "list the volumes that "+p.Name+" replicates", err)
		}
		for _, rep := range found {
			same := func(obj client.Object) bool { return obj.GetUID() == rep.Object.GetUID() } // of several PVCs
			if back.owner.Owns(rep.Object) && !slices.ContainsFunc(back.objects, same) {
				back.objects = append(back.objects, rep.Object)
			}
		}
	}
	var pvcs corev1.PersistentVolumeClaimList
	if err := r.client.List(ctx, &pvcs, client.InNamespace(namespace), client.MatchingLabels{migration.LabelMember: name}); err != nil {
		return back, cli.SiteError(ctx, r.site, "list the PVCs", err)
	}
	back.pvcs = pvcs.Items
	if back.group == nil && len(back.objects) == 0 && len(back.pvcs) == 0 {
		return back, clierror.Refused("kubectl vgr list -n "+namespace, "there is nothing of a migrated group %s/%s on %s", namespace, name, r.site.Name)
	}
	return back, nil
}

func (b returning) show(e *cli.Env, s *site.Site) {
	fmt.Fprintf(e.ErrOut, "%s: give back group %s -n %s; replication continues\n", present.Clean(s.Name), present.Clean(b.owner.Name), present.Clean(b.owner.Namespace))
	if b.group != nil {
		fmt.Fprintln(e.ErrOut, "  1. delete the group, and leave its replication")
	}
	fmt.Fprintf(e.ErrOut, "  2. take the group's labels off %d objects of the backend and %d PVCs; the class stays\n", len(b.objects), len(b.pvcs))
}

// giveBack returns the other way round than migrate: first no controller owns the objects, then the labels are removed.
func (h handover) giveBack(ctx context.Context, b returning) error {
	if b.group != nil {
		if err := h.release(ctx, b.group); err != nil {
			return err
		}
	}
	off := map[string]any{}
	for key := range b.owner.Labels() {
		off[key] = nil
	}
	for _, obj := range b.objects {
		if err := h.label(ctx, obj, off, "given back"); err != nil {
			return cli.WriteError(ctx, h.site, h.dryRun, "remove the labels of "+obj.GetName(), err)
		}
	}
	for i := range b.pvcs {
		if err := h.label(ctx, &b.pvcs[i], map[string]any{migration.LabelMember: nil}, "freed of the label"); err != nil {
			return cli.WriteError(ctx, h.site, h.dryRun, "remove the label of PVC "+b.pvcs[i].Name, err)
		}
	}
	return nil
}

// release deletes a group or a VolumeReplication so that its replication stays, and waits until it is gone.
func (h handover) release(ctx context.Context, obj client.Object) error {
	key, name := client.ObjectKeyFromObject(obj), h.name(obj)
	err := h.client.Get(ctx, key, obj)
	if apierrors.IsNotFound(err) {
		return nil // an earlier run has come so far
	}
	if err != nil {
		return cli.SiteError(ctx, h.site, "read "+name, err)
	}
	uid := obj.GetUID()
	metadata := map[string]any{"uid": uid, "annotations": map[string]any{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyRetain}}
	if err := h.patch(ctx, obj, metadata, "keeps its replication"); err != nil {
		return cli.WriteError(ctx, h.site, h.dryRun, "set the deletion policy of "+name, err)
	}
	opts := []client.DeleteOption{client.Preconditions{UID: &uid}}
	if h.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	if err := client.IgnoreNotFound(h.client.Delete(ctx, obj, opts...)); err != nil {
		return cli.WriteError(ctx, h.site, h.dryRun, "delete "+name, err)
	}
	h.did("%s deleted", name)
	for !h.dryRun {
		there := obj.DeepCopyObject().(client.Object)
		err := h.client.Get(ctx, key, there)
		if apierrors.IsNotFound(err) || err == nil && there.GetUID() != uid {
			return nil
		}
		select {
		case <-ctx.Done():
			return clierror.New(clierror.CodeTimeout, "is its controller running? the same command resumes", "wait for the deletion of %s on %s: the time is up", name, h.site.Name)
		case <-h.env.Clock.After(200 * time.Millisecond):
		}
	}
	return nil
}
