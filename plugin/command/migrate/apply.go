// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// handover carries a migration out on one site. Every step looks first whether it is done, so that the
// same command resumes after a failure.
type handover struct {
	env    *cli.Env
	site   *site.Site
	client client.WithWatch
	// peer and peerUID are empty when no peer was named.
	peer, peerUID string
	dryRun        bool
}

func (m *migrating) carryOut(ctx context.Context, e *cli.Env, p cli.Pair, r reader, targets []migration.Target, mode cli.DryRun) error {
	var names []string
	for i := range targets {
		describeTarget(e, p, &targets[i])
		names = append(names, targets[i].Name)
	}
	if err := refuseProblems(targets); err != nil {
		return err
	}
	if m.deleteOld {
		fmt.Fprintln(e.ErrOut, "  then delete the old objects; there is no --rollback after that")
	}
	if m.from == fromUnified {
		if err := m.oldController(ctx, r); err != nil {
			return err
		}
	}
	_, peerUID, err := p.Distinct(ctx)
	if err != nil {
		return err
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
	h := handover{env: e, site: p.Here, client: r.client, peerUID: peerUID, dryRun: mode == cli.DryRunServer}
	if p.Peer != nil {
		h.peer = p.Peer.Context
	}
	var errs []error
	for i := range targets {
		err := h.migrate(ctx, &targets[i])
		if err == nil && m.deleteOld {
			err = h.deleteOld(ctx, &targets[i])
		}
		errs = append(errs, err)
	}
	return clierror.Worst(errs)
}

// migrate makes one target. The objects are handed over only when the controller has every volume in its
// view: one that it did not know of would look like one that has left the group.
func (h handover) migrate(ctx context.Context, t *migration.Target) error {
	if !t.Single && t.Whole() == nil {
		for _, v := range t.Volumes {
			if v.PVCLabels[migration.LabelMember] == t.Name {
				continue
			}
			pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: v.PVC}}
			if err := h.label(ctx, pvc, map[string]any{migration.LabelMember: t.Name}, "labelled"); err != nil {
				return cli.WriteError(ctx, h.site, h.dryRun, "label PVC "+v.PVC, err)
			}
		}
	}
	class, replication := t.Objects()
	if annotations := replication.GetAnnotations(); h.peerUID != "" && !t.Single {
		annotations[vgrv1.AnnotationPeerClusterUID], annotations[vgrv1.AnnotationPeerContext] = h.peerUID, h.peer
	}
	begun, err := h.begun(ctx, replication)
	if err != nil {
		return err
	}
	if !begun {
		for _, obj := range []client.Object{class, replication} {
			if err := h.make(ctx, obj); err != nil {
				return err
			}
		}
	}
	if t.HandsOver() {
		if err := h.await(ctx, t, knows(t)); err != nil {
			return err
		}
		for _, v := range t.Handed() {
			if err := h.handOver(ctx, t, v); err != nil {
				return err
			}
		}
	}
	if err := h.await(ctx, t, settled(t.State)); err != nil {
		return err
	}
	return h.markOld(ctx, t)
}

// begun reports whether an earlier run has made the group or volume; then its class is there too. One that
// another tool made, or that asks for another state by now, is not touched.
func (h handover) begun(ctx context.Context, wanted client.Object) (bool, error) {
	there := wanted.DeepCopyObject().(client.Object)
	err := h.client.Get(ctx, client.ObjectKeyFromObject(wanted), there)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, cli.SiteError(ctx, h.site, "read "+cli.Title(wanted), err)
	}
	from := there.GetAnnotations()[migration.AnnotationFrom]
	if g, ok := there.(*vgrv1.VolumeGroupReplication); ok {
		if op, err := recovery.Journal(g); err == nil && op.InFlight() {
			return false, clierror.Refused(strings.Join(cli.Ways(op, g), "\n"), "%s is in flight for group %s/%s on %s", op, g.Namespace, g.Name, h.site.Name)
		}
	}
	switch {
	case from != wanted.GetAnnotations()[migration.AnnotationFrom]:
		return false, clierror.Refused("choose another name, or delete it", "%s on %s exists and was made from %s", cli.Title(wanted), h.site.Name, cmp.Or(from, "something else"))
	case !asksSame(wanted, there):
		return false, clierror.Refused(fmt.Sprintf("kubectl vgr status %s -n %s shows it", wanted.GetName(), wanted.GetNamespace()), "%s on %s was migrated before, and requests something else now", cli.Title(wanted), h.site.Name)
	default:
		return true, nil
	}
}

// asksSame compares the volumes and the state. The class is that of the first run: once the controller
// has made something for the volumes, it would be called after that.
func asksSame(wanted, there client.Object) bool {
	switch w := wanted.(type) {
	case *vgrv1.VolumeGroupReplication:
		t, ok := there.(*vgrv1.VolumeGroupReplication)
		return ok && equality.Semantic.DeepEqual(w.Spec.Selector, t.Spec.Selector) && w.Spec.ReplicationState == t.Spec.ReplicationState
	case *vgrv1.VolumeReplication:
		t, ok := there.(*vgrv1.VolumeReplication)
		return ok && w.Spec.PVCName == t.Spec.PVCName && w.Spec.ReplicationState == t.Spec.ReplicationState
	default:
		return false
	}
}

// make creates an object. A class may be there already: its name says what it has.
func (h handover) make(ctx context.Context, obj client.Object) error {
	opts := []client.CreateOption{site.FieldManager}
	if h.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	name := cli.Title(obj)
	switch err := h.client.Create(ctx, obj, opts...); {
	case apierrors.IsAlreadyExists(err):
		return nil
	case err != nil:
		return cli.WriteError(ctx, h.site, h.dryRun, "create "+name, err)
	}
	h.did("%s created", name)
	return nil
}

// handOver gives a backend's object its new owner, unless it has it already. One that asks for something
// else than when the plan was made is left: the new owner would ask for the old state again.
func (h handover) handOver(ctx context.Context, t *migration.Target, v migration.Volume) error {
	if t.Owner().Owns(v.Object) {
		return nil
	}
	if single := v.Single(); single != "" {
		if err := h.release(ctx, &vgrv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: single}}); err != nil {
			return err
		}
	}
	set := map[string]any{vgrv1.LabelVolumeReplication: nil}
	for key, value := range t.Owner().Labels() {
		set[key] = value
	}
	for {
		there := v.Object.DeepCopyObject().(client.Object)
		if err := h.client.Get(ctx, client.ObjectKeyFromObject(v.Object), there); err != nil {
			return cli.SiteError(ctx, h.site, "read "+v.From, err)
		}
		if there.GetUID() != v.Object.GetUID() || there.GetGeneration() != v.Object.GetGeneration() {
			return clierror.New(clierror.CodeFailed, "check it, then run the same command again", "cannot hand over %s on %s: it was changed since the plan was made", v.From, h.site.Name)
		}
		err := h.patch(ctx, there, map[string]any{"resourceVersion": there.GetResourceVersion(), "labels": set}, "handed over")
		if apierrors.IsConflict(err) {
			continue // its status has moved on
		}
		if err != nil {
			return cli.WriteError(ctx, h.site, h.dryRun, "hand over "+v.From, err)
		}
		return nil
	}
}

// label sets labels, or takes those away whose value is nil. An object that is known is bound to its UID.
func (h handover) label(ctx context.Context, obj client.Object, set map[string]any, did string) error {
	metadata := map[string]any{"labels": set}
	if uid := obj.GetUID(); uid != "" {
		metadata["uid"] = uid
	}
	return h.patch(ctx, obj, metadata, did)
}

func (h handover) patch(ctx context.Context, obj client.Object, metadata map[string]any, did string) error {
	text, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	opts := []client.PatchOption{site.FieldManager}
	if h.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	patched := obj.DeepCopyObject().(client.Object)
	if err := h.client.Patch(ctx, patched, client.RawPatch(types.MergePatchType, text), opts...); err != nil {
		return err
	}
	h.did("%s %s", h.name(obj), did)
	return nil
}

// name returns the title of an object that may have been read without its kind.
func (h handover) name(obj client.Object) string {
	gvk, err := h.client.GroupVersionKindFor(obj)
	if err != nil {
		return obj.GetName()
	}
	named := obj.DeepCopyObject().(client.Object)
	named.GetObjectKind().SetGroupVersionKind(gvk)
	return cli.Title(named)
}

func (h handover) did(format string, args ...any) {
	suffix := ""
	if h.dryRun {
		suffix = " (server dry run)"
	}
	fmt.Fprintf(h.env.ErrOut, "  %s: %s%s\n", present.Clean(h.site.Name), present.Clean(fmt.Sprintf(format, args...)), suffix)
}

// observed is a group or a single volume as its controller last saw it.
type observed struct {
	state.View
	volumes []string
}

func (h handover) look(ctx context.Context, t *migration.Target) (observed, error) {
	key := t.Owner().NamespacedName
	if t.Single {
		var v vgrv1.VolumeReplication
		err := h.client.Get(ctx, key, &v)
		return observed{state.OfSingle(&v), []string{v.Spec.PVCName}}, err
	}
	var g vgrv1.VolumeGroupReplication
	err := h.client.Get(ctx, key, &g)
	o := observed{View: state.Of(&g)}
	for _, v := range g.Status.Volumes {
		o.volumes = append(o.volumes, v.Name)
	}
	return o, err
}

// await looks until the controller has said what is waited for.
func (h handover) await(ctx context.Context, t *migration.Target, judge func(observed) await.Outcome) error {
	if h.dryRun {
		return nil
	}
	started, last := h.env.Clock.Now(), ""
	for {
		o, err := h.look(ctx, t)
		verdict := await.Outcome{Says: "cannot look: " + present.Clean(fmt.Sprint(err))}
		if err == nil {
			verdict = judge(o)
		}
		switch {
		case verdict.Done:
			h.did("%s: %s", t.Title(), verdict.Says)
			return nil
		case verdict.Dead != "":
			return clierror.New(clierror.CodeFailed, "solve it and run the same command again, or undo it with --rollback", "%s on %s has failed: %s", t.Title(), h.site.Name, present.Clean(verdict.Dead))
		case verdict.Says != last:
			last = verdict.Says
			fmt.Fprintf(h.env.ErrOut, "%5s  %s: %s\n", h.env.Clock.Since(started).Round(time.Second), present.Clean(t.Title()), present.Clean(last))
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), cli.ErrTimeout) {
				return clierror.New(clierror.CodeTimeout, "the same command resumes", "wait for %s on %s: the time is up; last status: %s", t.Title(), h.site.Name, present.Clean(last))
			}
			return clierror.New(clierror.CodeInterrupted, "the same command resumes", "interrupted")
		case <-h.env.Clock.After(200 * time.Millisecond):
		}
	}
}

// knows waits until the controller has reported on the target and on every volume of it.
func knows(t *migration.Target) func(observed) await.Outcome {
	return func(o observed) await.Outcome {
		if o.Ready() == nil {
			return await.Outcome{Says: "waiting for the controller"}
		}
		for _, v := range t.Volumes {
			if !slices.Contains(o.volumes, v.PVC) {
				return await.Outcome{Says: "waiting until the controller knows PVC " + v.PVC}
			}
		}
		return await.Outcome{Done: true, Says: "the controller knows every volume"}
	}
}

// settled waits until the backend has confirmed the state.
func settled(want vgrv1.ReplicationState) func(observed) await.Outcome {
	return func(o observed) await.Outcome {
		if reason := o.ReadyReason(); reason == vgrv1.ReasonVolumeConflict || reason == vgrv1.ReasonObjectConflict {
			// So it looks until the controller has seen that the last object was handed over.
			return await.Outcome{Says: "the controller takes the objects over; so far " + reason}
		}
		return await.Reached(o.View, want)
	}
}

// markOld writes on the old objects what has taken their place.
func (h handover) markOld(ctx context.Context, t *migration.Target) error {
	for _, v := range t.Volumes {
		to := t.Title() + " -n " + t.Namespace
		if v.Old == nil || v.Old.GetAnnotations()[migration.AnnotationTo] == to {
			continue
		}
		metadata := map[string]any{"uid": v.Old.GetUID(), "annotations": map[string]any{migration.AnnotationTo: to}}
		if err := h.patch(ctx, v.Old, metadata, "marked as migrated"); err != nil {
			return cli.WriteError(ctx, h.site, h.dryRun, "mark as migrated "+v.From, err)
		}
	}
	return nil
}

// deleteOld takes the old controller's finalizer off, which would wait for it for ever, and deletes what has
// no finalizer, and only that: one that came back would end the replication.
func (h handover) deleteOld(ctx context.Context, t *migration.Target) error {
	for _, v := range t.Volumes {
		if v.Old == nil {
			continue
		}
		old := v.Old.DeepCopyObject().(client.Object)
		if controllerutil.RemoveFinalizer(old, migration.UnifiedFinalizer) {
			if err := h.patch(ctx, v.Old, map[string]any{"uid": v.Old.GetUID(), "finalizers": old.GetFinalizers()}, "freed of the old finalizer"); err != nil {
				return cli.WriteError(ctx, h.site, h.dryRun, "remove the old finalizer of "+v.From, err)
			}
		}
		if err := h.client.Get(ctx, client.ObjectKeyFromObject(v.Old), old); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return cli.SiteError(ctx, h.site, "read "+v.From, err)
		}
		if left := old.GetFinalizers(); len(left) > 0 && !h.dryRun {
			return clierror.New(clierror.CodeFailed, "check that the old controller does not run, and run the same command again", "cannot delete %s on %s: it has the finalizer %s", v.From, h.site.Name, left[0])
		}
		opts := []client.DeleteOption{client.Preconditions{UID: new(old.GetUID()), ResourceVersion: new(old.GetResourceVersion())}}
		if h.dryRun {
			opts = append(opts, client.DryRunAll)
		}
		if err := client.IgnoreNotFound(h.client.Delete(ctx, old, opts...)); err != nil {
			return cli.WriteError(ctx, h.site, h.dryRun, "delete "+v.From, err)
		}
		h.did("%s deleted", v.From)
	}
	return nil
}
