// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// listed answers lists, as a cache would.
func listed(list client.ObjectList) error {
	noon := metav1.NewTime(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	switch l := list.(type) {
	case *vgrv1.VolumeGroupReplicationList:
		known := vgrv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "db", Annotations: map[string]string{
				vgrv1.AnnotationOperation: `{"id":"a1","kind":"planned","started":"2026-01-31T11:00:00.000000Z","result":"done"}`,
				vgrv1.AnnotationRehearsals: `[{"id":"0000000b","started":"2026-01-31T10:00:00.000000Z","namespace":"db-rehearsal","keptUntil":"2026-01-31T14:00:00Z","result":"failed"},` +
					`{"id":"0000000a","started":"2026-01-30T10:00:00.000000Z","namespace":"db-rehearsal","result":"passed","ended":"2026-01-30T11:00:00.000000Z"}]`,
			}},
			Spec: vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary},
		}
		known.Status.State, known.Status.Backend, known.Status.LastSyncTime = vgrv1.StatePrimary, "csi-addons", &noon
		known.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "data"}, {Name: "logs"}}
		known.Status.Conditions = []metav1.Condition{
			{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonPromoted},
			{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionFalse, Reason: "MessageOfSomeDriver"},
		}
		unseen := vgrv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "unseen", Annotations: map[string]string{
				vgrv1.AnnotationOperation:  `{"id":"a2","kind":"unplanned","started":"2026-01-31T11:00:00.000000Z"}`,
				vgrv1.AnnotationRehearsals: `[{"id":"forged"}]`,
			}},
			Spec: vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: "none", ReplicationState: vgrv1.Secondary},
		}
		refused := vgrv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "refused", DeletionTimestamp: &noon, Annotations: map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}},
			Spec:       vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary},
		}
		refused.Status.State = vgrv1.StateSecondary
		refused.Status.Conditions = []metav1.Condition{{Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonPromotionNotConfirmed}}
		l.Items = []vgrv1.VolumeGroupReplication{known, unseen, refused}
	case *vgrv1.VolumeReplicationList:
		l.Items = []vgrv1.VolumeReplication{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "one"},
			Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "silver", ReplicationState: vgrv1.Secondary},
			Status:     vgrv1.VolumeReplicationStatus{VolumeHandle: "h"},
		}}
	case *vgrv1.VolumeGroupReplicationClassList:
		l.Items = []vgrv1.VolumeGroupReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}}
	}
	return nil
}

// TestMetricsOfForgedJournals: what a journal says makes no new values of a label.
func TestMetricsOfForgedJournals(t *testing.T) {
	for _, tc := range []struct{ journal, kind, result string }{
		{`{"id":"a","kind":"planned","result":"done"}`, "planned", "done"},
		{`{"id":"a","kind":"resync"}`, "resync", "in flight"},
		{`{"id":"a","kind":"x1","result":"x2"}`, "Other", "Other"},
		{`{"id":"a"}`, "Other", "in flight"},
	} {
		op, err := recovery.Journal(&vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{vgrv1.AnnotationOperation: tc.journal}}})
		if err != nil {
			t.Fatal(err)
		}
		if kind, result := journalled(op); kind != tc.kind || result != tc.result {
			t.Errorf("%s: kind %q, result %q", tc.journal, kind, result)
		}
	}
}

// TestMetrics has every series; what is not known has none.
func TestMetrics(t *testing.T) {
	elected := make(chan struct{})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(NewMetrics(listed, elected, "v1"))
	if n, err := testutil.GatherAndCount(registry); n != 0 || err != nil {
		t.Errorf("before it leads it tells %d series, %v", n, err)
	}
	close(elected)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			b.WriteString(f.GetName())
			for _, l := range m.GetLabel() {
				b.WriteString(" " + l.GetName() + "=" + l.GetValue())
			}
			b.WriteString(": " + strconv.FormatFloat(m.GetGauge().GetValue(), 'f', -1, 64) + "\n")
		}
	}
	golden.Compare(t, "metrics.golden", b.String())

	broken := prometheus.NewPedanticRegistry()
	broken.MustRegister(NewMetrics(func(client.ObjectList) error { return errors.New("the cache is gone") }, elected, "v1"))
	if _, err := broken.Gather(); err == nil {
		t.Error("a scrape that read nothing has succeeded")
	}
}

// TestDashboard: what the dashboard and the alert rules ask for exists.
func TestDashboard(t *testing.T) {
	series, err := os.ReadFile(filepath.Join("testdata", "metrics.golden"))
	if err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join("..", "..", "docs", "monitoring")
	text, err := os.ReadFile(filepath.Join(docs, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	asked := map[string]string{}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 || p.Targets[0].Expr == "" {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			asked[p.Title] += target.Expr + "\n"
		}
	}
	alerts, err := os.ReadFile(filepath.Join(docs, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	asked["alerts.yaml"] = string(alerts)
	for where, exprs := range asked {
		for _, name := range regexp.MustCompile(`\bvgr_[a-z_]+`).FindAllString(exprs, -1) {
			if !strings.Contains(string(series), name+" ") {
				t.Errorf("%s asks for %s, which does not exist", where, name)
			}
		}
	}
}
