// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

func TestWriterOf(t *testing.T) {
	const (
		journal = `{"f:metadata":{"f:annotations":{".":{},"f:replication.unified.io/operation":{}}}}`
		history = `{"f:metadata":{"f:annotations":{"f:replication.unified.io/history":{}}}}`
		wave    = `{"f:metadata":{"f:annotations":{"f:replication.unified.io/wave":{}}},"f:spec":{"f:replicationState":{}}}`
	)
	early, late := metav1.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC), metav1.Date(2026, 1, 1, 4, 0, 0, 0, time.UTC)
	entry := func(manager, fields string, at *metav1.Time) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: at, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   recovery.Writer
	}{
		"nobody":               {},
		"we":                   {[]metav1.ManagedFieldsEntry{entry("kubectl-vgr", journal, &early)}, recovery.Writer{}},
		"a person":             {[]metav1.ManagedFieldsEntry{entry("kubectl-vgr", wave, &late), entry("kubectl-annotate", journal, &early)}, recovery.Writer{Manager: "kubectl-annotate", Time: &early}},
		"the history":          {[]metav1.ManagedFieldsEntry{entry("kubectl-vgr", journal, &late), entry("velero", history, nil)}, recovery.Writer{Manager: "velero"}},
		"two":                  {[]metav1.ManagedFieldsEntry{entry("a", journal, nil), entry("b", history, &late), entry("c", history, &early)}, recovery.Writer{Manager: "b", Time: &late}},
		"something else of it": {[]metav1.ManagedFieldsEntry{entry("kubectl-edit", wave, &late)}, recovery.Writer{}},
		"without a name":       {[]metav1.ManagedFieldsEntry{entry("", journal, nil)}, recovery.Writer{Manager: "a client without a name"}},
		"what cannot be read":  {[]metav1.ManagedFieldsEntry{entry("a", "[", nil), {Manager: "b"}}, recovery.Writer{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, recovery.WriterOf(&metav1.ObjectMeta{ManagedFields: tc.fields}, "kubectl-vgr")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
