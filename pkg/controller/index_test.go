// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestClaimKeys: a PVC that a group wants, or has, is found by one of the group's keys, whatever the selector.
func TestClaimKeys(t *testing.T) {
	expression := func(key string, op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	selectors := []*metav1.LabelSelector{
		{MatchLabels: map[string]string{"app": "a"}},
		{MatchLabels: map[string]string{"app": "a", "tier": "b"}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{expression("app", "In", "a", "b", "a")}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{expression("tier", "Exists"), expression("app", "In", "b")}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{expression("app", "NotIn", "a")}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{expression("app", "DoesNotExist")}},
		{MatchLabels: map[string]string{"tier": "b"}, MatchExpressions: []metav1.LabelSelectorRequirement{expression("app", "NotIn", "b")}},
	}
	for _, selector := range selectors {
		wanted := 0
		for _, app := range []string{"", "a", "b"} {
			for _, tier := range []string{"", "b", "c"} {
				for _, member := range []bool{false, true} {
					pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: map[string]string{}}}
					for key, value := range map[string]string{"app": app, "tier": tier} {
						if value != "" {
							pvc.Labels[key] = value
						}
					}
					g := &vgrv1.VolumeGroupReplication{Spec: vgrv1.VolumeGroupReplicationSpec{Selector: selector}}
					if member {
						g.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "data"}}
					}
					s := groupTarget(g)
					keys := append(labelKeys(pvc), anyPVC, pvcNamed("data"))
					if len(labelKeys(pvc)) != len(pvc.Labels) {
						t.Errorf("%v has the keys %v", pvc.Labels, labelKeys(pvc))
					}
					found := slices.ContainsFunc(claimKeys(s), func(k string) bool { return slices.Contains(keys, k) })
					if wants(s, pvc) {
						if wanted++; !found {
							t.Errorf("%s, member %v: PVC with %v is not found by %v", metav1.FormatLabelSelector(selector), member, pvc.Labels, claimKeys(s))
						}
					}
				}
			}
		}
		if wanted == 0 {
			t.Errorf("%s wants nothing: it proves nothing", metav1.FormatLabelSelector(selector))
		}
	}
}
