// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// plan is one of a group with so many PVCs on a kind of storage.
func plan(namespace, name, kind string, pvcs int, op recovery.Operation) present.Plan {
	traits := map[string]backend.Traits{
		"csi-addons": {Fences: true, ConfirmsSync: true, SyncPause: 30 * time.Second}, "trident": {PromoteFirst: true}, "dell": {Fences: true, HandsOver: true},
	}[kind]
	op.From, op.To, op.Members = recovery.SiteRef{Name: "east", Cluster: "e"}, recovery.SiteRef{Name: "west", Cluster: "w"}, map[string]string{}
	for i := range pvcs {
		op.Members[fmt.Sprintf("data-%d", i)] = "handle"
	}
	p := present.Plan{Namespace: namespace, Name: name, Backend: kind, Operation: op, Steps: recovery.Steps(op, traits), Estimate: recovery.Estimate{Stops: !traits.PromoteFirst, Upto: traits.SyncPause}}
	for range 14 {
		p.Checks = append(p.Checks, recovery.Check{ID: "group", Severity: recovery.CheckOK})
	}
	unknown := recovery.Check{ID: "lag", Severity: recovery.CheckWarning, Evidence: "the last synchronisation is not known"}
	if op.Kind == recovery.Planned && kind == "trident" {
		p.Checks = append(p.Checks, unknown, recovery.Check{ID: "health", Severity: recovery.CheckWarning, Evidence: "Trident tells too little on east"})
	}
	return p
}

// evacuation are the plans of a whole site.
func evacuation(kind recovery.Kind) []present.Plan {
	op := recovery.Operation{Kind: kind}
	all := []present.Plan{
		plan("apps", "api-db", "csi-addons", 2, op), plan("apps", "queue", "csi-addons", 3, op), plan("apps", "web-assets", "trident", 2, op), plan("billing", "ledger", "dell", 4, op),
		plan("finance", "invoices", "dell", 2, op), plan("production", "postgresql", "csi-addons", 10, op), plan("shop", "cart", "trident", 3, op), plan("shop", "orders", "csi-addons", 3, op),
	}
	for i := range all {
		if kind != recovery.Planned {
			all[i].Estimate = recovery.Estimate{}
			continue
		}
		all[i].Estimate.Earlier, all[i].Estimate.Total, all[i].Estimate.Outage = 2, 15*time.Second, 14*time.Second
	}
	return all
}

// TestPlans: what is done to many groups is one table that fits on a screen with its prompt, each finding once and the ones that
// matter first; what is lost comes last.
func TestPlans(t *testing.T) {
	first := evacuation(recovery.Planned)
	for i := range first {
		first[i].Estimate.Earlier = 0
	}
	for i, p := range first { // after an earlier move, each at its own time
		if p.Backend == "csi-addons" {
			first[i].Estimate.Waits = true
			first[i].Checks = append(first[i].Checks, recovery.Check{
				ID: "sync", Severity: recovery.CheckWarning, Evidence: fmt.Sprintf("east has not synchronised since 03:0%d", i), Brief: "east has not synchronised since it became primary", Remedy: "the operation waits for it",
			})
		}
	}
	mixed := evacuation(recovery.Planned)
	mixed[1].Operation.Quiesce, mixed[1].Operation.Start = true, true
	mixed[1].Operation.Stopped = []recovery.StoppedWorkload{{Cluster: "e", Kind: "deployment", Name: "queue", Replicas: 2}}
	mixed[1].Steps = recovery.Steps(mixed[1].Operation, backend.Traits{Fences: true, ConfirmsSync: true})
	mixed[2].Refused = true
	mixed[2].Checks = append(mixed[2].Checks, recovery.Check{ID: "users", Severity: recovery.CheckProblem, Evidence: "east: pod/web-0 uses data-0", Remedy: "stop it"})
	mixed[0].Wave, mixed[5].Wave = -1, 1
	mixed[7].Resumed, mixed[7].Operation.ID, mixed[7].Operation.By, mixed[7].Operation.Started = true, "5f0df4c3", "bob@laptop", metav1.NewMicroTime(now)
	lost := evacuation(recovery.Unplanned)
	for i := range lost {
		lost[i].Seen = []string{fmt.Sprintf("east %ds ago, at 2026-01-31T02:59:00Z: Primary", 40+i/4)}
		if lost[i].Backend == "dell" {
			lost[i].Operation.LastSync = ago(5 * time.Minute)
		}
		lost[i].Checks = append(lost[i].Checks, recovery.Check{ID: "reachable", Severity: recovery.CheckWarning, Evidence: "east answers", Remedy: "leave out --unplanned"})
	}
	lost[0].Alive = "east is ALIVE: a planned failover loses nothing"
	one := evacuation(recovery.Planned)[5:6]
	hostile := evacuation(recovery.Planned)[:2]
	hostile[0].Name, hostile[1].Backend = "evil\x1b[2J\nname", "x\ny"
	for name, all := range map[string][]present.Plan{"known": evacuation(recovery.Planned), "first": first, "mixed": mixed, "lost": lost, "one": one, "hostile": hostile} {
		for style, s := range styles() {
			t.Run(name+"/"+style, func(t *testing.T) {
				var b strings.Builder
				present.Plans(&b, s, all)
				golden.Compare(t, "plan."+name+"."+style+".golden", b.String())
				fits(t, b.String(), s)
				const room = 24 - 4 // for the prompt, and what the shell shows
				if lines := strings.Count(b.String(), "\n"); lines > room && s.Width == 80 && (name == "known" || name == "first") {
					t.Errorf("%d lines, want at most %d:\n%s", lines, room, b.String())
				}
			})
		}
	}
}
