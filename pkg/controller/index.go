// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// The indexes of the cache, by which targets and PVCs find each other: of thousands, each concerns a few.
const (
	// claimsIndex has what a PVC must have, one of it at least, to be a target's.
	claimsIndex = "claims"
	// labelsIndex has the labels of a PVC.
	labelsIndex = "labels"
	// contestedIndex has the targets that wait for a PVC that another one has.
	contestedIndex = "contested"
)

// The keys of claimsIndex.
const anyPVC = "any"

func pvcNamed(name string) string     { return "name " + name }
func pvcLabel(key, val string) string { return "label " + key + "=" + val }

// SetupIndexes must come before both reconcilers.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, obj := range []client.Object{&vgrv1.VolumeGroupReplication{}, &vgrv1.VolumeReplication{}} {
		if err := indexer.IndexField(ctx, obj, claimsIndex, func(o client.Object) []string { return claimKeys(asTarget(o)) }); err != nil {
			return err
		}
		if err := indexer.IndexField(ctx, obj, contestedIndex, func(o client.Object) []string {
			if contested(asTarget(o)) {
				return []string{"true"}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return indexer.IndexField(ctx, &corev1.PersistentVolumeClaim{}, labelsIndex, labelKeys)
}

// maxLabels is how many labels of a PVC are indexed. A user who may label PVCs may write thousands: one with more is found by
// its namespace, as if a selector could name anything.
const maxLabels = 64

// crowded is the key of a PVC with more labels than that.
const crowded = "crowded"

func labelKeys(pvc client.Object) []string {
	if len(pvc.GetLabels()) > maxLabels {
		return []string{crowded}
	}
	var keys []string
	for k, v := range pvc.GetLabels() {
		keys = append(keys, pvcLabel(k, v))
	}
	return keys
}

// claimKeys returns such that each PVC that a target wants, or has, has one of them.
func claimKeys(s target) []string {
	if s.pvcName != "" {
		return []string{pvcNamed(s.pvcName)}
	}
	keys := selectorKeys(s.selector)
	if keys == nil {
		keys = []string{anyPVC}
	}
	for _, name := range s.members {
		keys = append(keys, pvcNamed(name))
	}
	return keys
}

// selectorKeys returns labels of which every PVC that a selector matches has one; nil when it names none.
func selectorKeys(selector *metav1.LabelSelector) []string {
	if selector == nil {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		return []string{pvcLabel(k, selector.MatchLabels[k])}
	}
	for _, e := range selector.MatchExpressions {
		if e.Operator != metav1.LabelSelectorOpIn {
			continue
		}
		var keys []string
		for _, v := range e.Values {
			keys = append(keys, pvcLabel(e.Key, v))
		}
		return keys
	}
	return nil
}

// claimants returns the targets of a list's kind that want a PVC, or have it. They are the cache's own objects,
// to be read only.
func claimants(ctx context.Context, c client.Reader, list client.ObjectList, pvc client.Object) ([]target, error) {
	var out []target
	queries := []client.ListOption{nil}
	if keys := labelKeys(pvc); !slices.Contains(keys, crowded) {
		queries = nil
		for _, key := range append(keys, anyPVC, pvcNamed(pvc.GetName())) {
			queries = append(queries, client.MatchingFields{claimsIndex: key})
		}
	}
	for _, query := range queries {
		opts := []client.ListOption{client.InNamespace(pvc.GetNamespace()), client.UnsafeDisableDeepCopy}
		if query != nil {
			opts = append(opts, query)
		}
		if err := c.List(ctx, list, opts...); err != nil {
			return nil, err
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			s := asTarget(o)
			known := slices.ContainsFunc(out, func(x target) bool { return x.owner == s.owner })
			if !known && wants(s, pvc) {
				out = append(out, s)
			}
			return nil
		})
	}
	return out, nil
}

// selected returns the PVCs of a namespace that a selector matches.
func selected(ctx context.Context, c client.Reader, namespace string, selector *metav1.LabelSelector) ([]corev1.PersistentVolumeClaim, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, nil //nolint:nilerr // the target says so
	}
	opts := []client.ListOption{client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: parsed}}
	keys := selectorKeys(selector)
	if keys == nil {
		var list corev1.PersistentVolumeClaimList
		err := c.List(ctx, &list, opts...)
		return list.Items, err
	}
	var out []corev1.PersistentVolumeClaim
	for _, key := range slices.Compact(slices.Sorted(slices.Values(append(keys, crowded)))) { // a PVC has one value of a label
		var list corev1.PersistentVolumeClaimList
		if err := c.List(ctx, &list, append(opts, client.MatchingFields{labelsIndex: key})...); err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
	}
	return out, nil
}

// wants reports whether a PVC belongs to a target, or did when it was last observed.
func wants(s target, pvc client.Object) bool {
	if s.pvcName != "" {
		return s.pvcName == pvc.GetName()
	}
	return s.matches(pvc) || s.inGroup(pvc.GetName())
}

// matches reports whether the selector of a group matches a PVC.
func (s target) matches(pvc client.Object) bool {
	selector, err := metav1.LabelSelectorAsSelector(s.selector)
	return err == nil && selector.Matches(labels.Set(pvc.GetLabels()))
}

// contested reports whether a target waits for a PVC that another one has.
func contested(s target) bool {
	ready := meta.FindStatusCondition(s.status.Conditions, vgrv1.ConditionReady)
	return ready != nil && ready.Reason == vgrv1.ReasonVolumeConflict
}
