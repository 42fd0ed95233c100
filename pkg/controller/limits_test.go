// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestManyLabels: PVCs with thousands of labels are members as others are, also when they get them later and lose them
// again, and keep no other group from being served.
func TestManyLabels(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprintf("label-%d", i)] = strings.Repeat("x", 40)
	}
	members := func(want int) {
		t.Helper()
		w.eventually(fmt.Sprintf("%d volumes are known", want), func(ctx context.Context) bool {
			return w.Get(ctx, csi.key, g) == nil && len(g.Status.Volumes) == want
		})
	}
	members(1)
	labelled := maps.Clone(many)
	labelled["app"] = "db"
	w.boundPVC("crowded", driver, labelled)
	members(2)
	var pvc corev1.PersistentVolumeClaim
	key := client.ObjectKey{Namespace: "default", Name: "crowded"}
	if err := w.Get(t.Context(), key, &pvc); err != nil {
		t.Fatal(err)
	}
	change(w, &pvc, func(p *corev1.PersistentVolumeClaim) { p.Labels = many })
	members(1)
	change(w, &pvc, func(p *corev1.PersistentVolumeClaim) { p.Labels = map[string]string{"app": "db"} })
	members(2)
	change(w, &pvc, func(p *corev1.PersistentVolumeClaim) { p.Labels = labelled })
	change(w, &pvc, func(p *corev1.PersistentVolumeClaim) { p.Labels = many })
	members(1)
}

// TestHugeMessage: a message of a backend that is longer than the API server takes is cut, and the status is written.
func TestHugeMessage(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	change(w, g, secondary)
	csi.eventuallyAsks(replicationv1.Secondary)
	huge := strings.Repeat("ä", 32_768) // as long as the API server takes, which counts characters
	csi.answer("Primary", huge+huge, said("Completed", "False", "FailedToDemote", huge))
	got, says := w.says("[csi-addons] fails to demote, at length", csi.key, "False/FailedToDemote")
	if !strings.Contains(says, "ää") || !strings.HasSuffix(says, "…") {
		t.Errorf("it says %d bytes: %.100s", len(says), says)
	}
	for _, c := range got.Status.Conditions {
		if len(c.Message) > 32_768 || !utf8.ValidString(c.Message) {
			t.Errorf("%s has a message of %d bytes", c.Type, len(c.Message))
		}
	}
	if n := len(got.Status.Message); n == 0 || n > 32_768 || got.Status.ObservedGeneration == 0 || got.Status.State != vgrv1.StatePrimary {
		t.Errorf("message of %d bytes, answered %d, %s", n, got.Status.ObservedGeneration, got.Status.State)
	}
}
