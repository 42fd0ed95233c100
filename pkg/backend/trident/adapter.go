// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Adapter is the Trident backend of one cluster.
type Adapter struct {
	client client.Client
	live   client.Reader
}

// New makes the adapter. The client must read from a cache, since observations list objects, and live
// from the API server.
func New(c client.Client, live client.Reader) *Adapter { return &Adapter{client: c, live: live} }

// CRDs implements backend.Adapter.
func (a *Adapter) CRDs() []string {
	return []string{"tridentmirrorrelationships." + groupVersion.Group, "tridentactionmirrorupdates." + groupVersion.Group}
}

// Watches implements backend.Adapter.
func (a *Adapter) Watches() []backend.Watch {
	return []backend.Watch{
		{Object: &Mirror{}, Claims: claimsOfMirror, Indexes: map[string]client.IndexerFunc{claimIndex: claimOfMirror}},
		{Object: &Update{}, Indexes: map[string]client.IndexerFunc{mirrorIndex: mirrorOfUpdate}},
	}
}

// Indexes by which the objects of a volume are found.
const (
	// claimIndex is of Mirrors, by their PVC.
	claimIndex = "claim"
	// mirrorIndex is of Updates, by their Mirror.
	mirrorIndex = "mirror"
)

func claimOfMirror(obj client.Object) []string {
	if m, ok := obj.(*Mirror); ok {
		return []string{m.mapping().LocalPVCName}
	}
	return nil
}

func mirrorOfUpdate(obj client.Object) []string {
	if u, ok := obj.(*Update); ok {
		return []string{u.Spec.MirrorName}
	}
	return nil
}

// claimsOfMirror returns the PVC of a Mirror, which another tool may have made.
func claimsOfMirror(_ context.Context, obj client.Object) []types.NamespacedName {
	var claims []types.NamespacedName
	for _, name := range claimOfMirror(obj) {
		claims = append(claims, types.NamespacedName{Namespace: obj.GetNamespace(), Name: name})
	}
	return claims
}

// read finds the Mirrors of the members, made by any tool.
func (a *Adapter) read(ctx context.Context, g backend.Group) ([]volume, error) {
	list := func(objects client.ObjectList, index, value string) error {
		return a.client.List(ctx, objects, client.InNamespace(g.Owner.Namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy)
	}
	volumes := make([]volume, 0, len(g.Members))
	for _, member := range g.Members {
		v := volume{member: member}
		var mirrors MirrorList
		if err := list(&mirrors, claimIndex, member.PVC); err != nil {
			return nil, err
		}
		for i := range mirrors.Items {
			v.mirrors = append(v.mirrors, &mirrors.Items[i])
		}
		if m := v.mirror(); m != nil {
			var updates UpdateList
			if err := list(&updates, mirrorIndex, m.Name); err != nil {
				return nil, err
			}
			for i := range updates.Items {
				v.updates = append(v.updates, &updates.Items[i])
			}
		}
		volumes = append(volumes, v)
	}
	return volumes, nil
}

// Observe implements backend.Adapter.
func (a *Adapter) Observe(ctx context.Context, g backend.Group) (backend.Observation, error) {
	volumes, err := a.read(ctx, g)
	if err != nil {
		return backend.Observation{}, err
	}
	m, err := a.readGroupSnapshot(ctx, g)
	if err != nil {
		return backend.Observation{}, err
	}
	obs := observe(g, volumes)
	observeGroupSnapshot(g, volumes, m, &obs)
	return obs, nil
}

// Apply implements backend.Adapter. When one volume may not be changed, none is: a group of which
// some volumes moved is worse than one that did not move.
func (a *Adapter) Apply(ctx context.Context, g backend.Group) error {
	volumes, err := a.read(ctx, g)
	if err != nil {
		return err
	}
	wanted := make([]*MirrorSpec, len(volumes))
	for i, v := range volumes {
		spec, problem := decide(g, v)
		if problem != nil {
			return problem
		}
		wanted[i] = spec
	}
	for i, v := range volumes {
		if wanted[i] == nil || g.Blocked != nil && v.mirror() == nil {
			continue
		}
		if err := a.write(ctx, g, v, *wanted[i]); err != nil {
			return err
		}
	}
	m, err := a.readGroupSnapshot(ctx, g)
	if err != nil {
		return err
	}
	if err := a.capture(ctx, g, volumes, m); err != nil {
		return err
	}
	return a.transfer(ctx, g, volumes)
}

// transfer asks for the updates that are wanted, and tidies up after the last ones.
func (a *Adapter) transfer(ctx context.Context, g backend.Group, volumes []volume) error {
	for _, v := range volumes {
		if u := update(g, v); u != nil {
			if err := a.client.Create(ctx, u); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
		}
		for _, u := range outdated(g, v) {
			if err := a.client.Delete(ctx, u); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}

// write makes or changes the Mirror of a volume. A change fails if the Mirror has changed since it was
// read.
func (a *Adapter) write(ctx context.Context, g backend.Group, v volume, spec MirrorSpec) error {
	if m := v.mirror(); m != nil {
		after := m.DeepCopy()
		after.Spec = spec
		metav1.SetMetaDataAnnotation(&after.ObjectMeta, annotationLastApplied, requestOf(g)+"/"+cmp.Or(spec.State, asksFor(m)))
		return a.client.Patch(ctx, after, client.MergeFromWithOptions(m, client.MergeFromWithOptimisticLock{}))
	}
	m := &Mirror{
		TypeMeta:   metav1.TypeMeta{APIVersion: groupVersion.String(), Kind: mirrorKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Owner.Namespace, Name: v.member.PVC, Labels: g.Owner.Labels()},
		Spec:       spec,
	}
	metav1.SetMetaDataAnnotation(&m.ObjectMeta, annotationLastApplied, requestOf(g)+"/"+spec.State)
	err := a.client.Create(ctx, m)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	var there Mirror
	if err := a.client.Get(ctx, client.ObjectKeyFromObject(m), &there); err != nil || there.mapping().LocalPVCName == v.member.PVC {
		return err // the cache was behind
	}
	return backend.Problemf(vgrv1.ReasonObjectConflict, "%s %s exists already, for PVC %s", mirrorKind, m.Name, there.mapping().LocalPVCName)
}

// Remove implements backend.Adapter. To delete a Mirror breaks it, so that is done only when it was
// asked for, and only to what was made for the owner. It asks the API server: a cache may not have yet what was
// made right before, and nothing would end that after us.
func (a *Adapter) Remove(ctx context.Context, o backend.Owner, retain bool) (backend.Removal, error) {
	if retain {
		return backend.Removal{Done: true}, nil
	}
	var left []client.Object
	for _, list := range []client.ObjectList{&GroupSnapshotList{}, &UpdateList{}, &MirrorList{}} {
		err := a.live.List(ctx, list, client.InNamespace(o.Namespace), client.MatchingLabels(o.Labels()))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // a kind that is not served has nothing left
		}
		if err != nil {
			return backend.Removal{}, err
		}
		deleted, err := a.deleteAll(ctx, list)
		if err != nil {
			return backend.Removal{}, err
		}
		if _, mirrors := list.(*MirrorList); mirrors {
			left = deleted // of the others none is waited for
		}
	}
	return backend.Removal{Done: len(left) == 0, Waiting: notGone(left)}, nil
}

// notGone names the Mirrors that are not gone yet, and what the first that anything holds waits for.
func notGone(left []client.Object) string {
	var names []string
	waits := ""
	slices.SortFunc(left, func(a, b client.Object) int { return strings.Compare(a.GetName(), b.GetName()) })
	for _, obj := range left {
		names = append(names, obj.GetName())
		if waits == "" {
			waits = state.WaitsFor("; "+obj.GetName()+" waits for ", obj)
		}
	}
	return "Trident is ending the relationships " + strings.Join(names, ", ") + waits
}

// deleteAll deletes what is in a list, and returns it.
func (a *Adapter) deleteAll(ctx context.Context, list client.ObjectList) ([]client.Object, error) {
	all, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	var out []client.Object
	for _, o := range all {
		obj, ok := o.(client.Object)
		if !ok {
			continue
		}
		out = append(out, obj)
		if !obj.GetDeletionTimestamp().IsZero() {
			continue
		}
		uid := obj.GetUID()
		if err := a.client.Delete(ctx, obj, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
	}
	return out, nil
}
