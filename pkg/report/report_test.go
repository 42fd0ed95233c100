// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
)

// view is a group on east whose copy is on west, which may be silent.
func view(silent bool) overview.Overview {
	group := func(state vgrv1.State, desired vgrv1.ReplicationState) []vgrv1.VolumeGroupReplication {
		return []vgrv1.VolumeGroupReplication{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", Generation: 1},
			Spec:       vgrv1.VolumeGroupReplicationSpec{ReplicationState: desired},
			Status: vgrv1.VolumeGroupReplicationStatus{
				ReplicationStatus: vgrv1.ReplicationStatus{State: state, ObservedGeneration: 1}, Volumes: []vgrv1.VolumeStatus{{Name: "data", State: state}},
			},
		}}
	}
	east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true}, Groups: group(vgrv1.StatePrimary, vgrv1.Primary)}
	west := overview.SiteInput{Site: overview.Site{Name: "west", Answered: true}, Groups: group(vgrv1.StateSecondary, vgrv1.Secondary)}
	if silent {
		west = overview.SiteInput{Site: overview.Site{Name: "west", Problem: overview.SiteUnreachable, Message: "no route"}}
	}
	return overview.Build([]overview.SiteInput{east, west}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func built(v overview.Overview, unread string, checks ...recovery.Check) *report.Report {
	pvc := func(name string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	east := report.SiteFacts{PVCs: []corev1.PersistentVolumeClaim{pvc("data"), pvc("one"), pvc("scratch")}, Single: map[types.NamespacedName]bool{{Namespace: "shop", Name: "one"}: true}}
	return report.Build(report.Input{
		View: v, Sites: []report.SiteFacts{east, {Single: map[types.NamespacedName]bool{}, Unread: unread}},
		Ready: func(overview.Group) (string, string, recovery.Readiness) {
			return "east", "west", recovery.Readiness{Checks: checks}
		},
		Loss: func(recovery.Operation) string { return "none" },
	})
}

// TestBuild: what is not known is not counted as good.
func TestBuild(t *testing.T) {
	refused := recovery.Check{ID: "lag", Severity: recovery.CheckProblem, Evidence: "late"}
	for name, tc := range map[string]struct {
		made                      *report.Report
		ready                     report.Answer
		without, unprotected      string
		notKnown                  string
		withoutLevel, levelOfRest overview.Level
	}{
		"all known":     {built(view(false), ""), report.Yes, "0", "1", "", overview.OK, overview.Problem},
		"refused":       {built(view(false), "", refused), report.No, "0", "1", "", overview.OK, overview.Problem},
		"no permission": {built(view(false), "forbidden"), report.Yes, "0", "at least 1", "which PVCs on west are in no group: forbidden", overview.OK, overview.Problem},
		"a silent site": {built(view(true), "no route"), report.Unknown, "unknown", "at least 1", "west does not answer: no route", overview.Warning, overview.Problem},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.made.Summary
			if got := tc.made.Groups[0].Readiness.Answer; got != tc.ready {
				t.Errorf("a failover could begin: %s, want %s", got, tc.ready)
			}
			if s.WithoutCopy.String() != tc.without || s.WithoutCopy.Level() != tc.withoutLevel {
				t.Errorf("%s without a copy (%s), want %s", s.WithoutCopy, s.WithoutCopy.Level(), tc.without)
			}
			if s.Unprotected.String() != tc.unprotected || s.Unprotected.Level() != tc.levelOfRest {
				t.Errorf("%s in no group, want %s", s.Unprotected, tc.unprotected)
			}
			if got := strings.Join(tc.made.NotKnown, "\n"); got != tc.notKnown {
				t.Errorf("not known: %q, want %q", got, tc.notKnown)
			}
		})
	}
}

// TestBuildOfNothing: without groups nothing is claimed, and lists are empty, not absent.
func TestBuildOfNothing(t *testing.T) {
	r := report.Build(report.Input{View: overview.Build([]overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}}}, time.Time{}), Sites: []report.SiteFacts{{Single: map[types.NamespacedName]bool{}}}})
	if r.Groups == nil || r.Unprotected == nil || r.NotKnown == nil || len(r.Groups) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestRehearsals: a rehearsal counts when it passed, was the last, and both sites have told.
func TestRehearsals(t *testing.T) {
	const passed = `[{"id":"0000000a","started":"2025-12-30T12:00:00.000000Z","namespace":"n","result":"passed","ended":"2025-12-30T13:00:00.000000Z"}]`
	for name, tc := range map[string]struct {
		east, west string
		silent     bool
		says       string
		level      overview.Level
		counted    string
	}{
		"never":            {"", "", false, "never", "", "0"},
		"silent":           {"", "", true, "unknown", "", "unknown"},
		"passed":           {"", passed, false, "passed", overview.OK, "1"},
		"passed, silent":   {passed, "", true, "passed", overview.OK, "unknown"},
		"failed last":      {strings.NewReplacer("passed", "failed", "12-30T", "12-31T").Replace(passed), passed, false, "failed", overview.Problem, "0"},
		"cannot be read":   {"", "[{}]", false, "unknown", "", "unknown"},
		"kept, expired":    {"", strings.Replace(passed, `"ended"`, `"keptUntil":"2025-12-31T12:00:00Z","x"`, 1), false, "passed", overview.Warning, "1"},
		"begun, and ended": {"", strings.Replace(passed, "passed", "ended early", 1), false, "ended early", overview.Warning, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			var sites []overview.SiteInput
			for at, text := range map[string]string{"east": tc.east, "west": tc.west} {
				g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", Annotations: map[string]string{}}}
				if text != "" {
					g.Annotations[vgrv1.AnnotationRehearsals] = text
				}
				in := overview.SiteInput{Site: overview.Site{Name: at, Answered: true}, Groups: []vgrv1.VolumeGroupReplication{g}}
				if at == "west" && tc.silent {
					in = overview.SiteInput{Site: overview.Site{Name: at, Problem: overview.SiteUnreachable}}
				}
				sites = append(sites, in)
			}
			r := built(overview.Build(sites, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "")
			g := r.Groups[0]
			if g.Rehearsed() != tc.says || g.RehearsalLevel() != tc.level || r.Summary.Rehearsed.String() != tc.counted {
				t.Errorf("%q %q, counted %s: %+v", g.Rehearsed(), g.RehearsalLevel(), r.Summary.Rehearsed, g.Rehearsal)
			}
		})
	}
}
