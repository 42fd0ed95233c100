// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// older makes a group on a site as programs from before the guard have left it: a status without what the controller
// remembers of roles, a journal of that day, and what was told of the peer without the write that it came with.
func (s *scene) older(site, name, journal string) {
	s.t.Helper()
	g := s.get(site, name)
	s.must(s.sites[site].Patch(s.t.Context(), g, client.RawPatch(types.MergePatchType, fmt.Appendf(nil,
		`{"metadata":{"annotations":{%q:%q,%q:"demoted/0badc0de-5",%q:null}}}`, vgrv1.AnnotationOperation, journal, vgrv1.AnnotationPeer, vgrv1.AnnotationBoundTo))))
	s.must(s.sites[site].Status().Patch(s.t.Context(), g, client.RawPatch(types.MergePatchType, []byte(
		`{"status":{"stateSince":null,"lastRole":null,"syncTimeBefore":null,"demotedAfterSync":null,"confirmedGeneration":null}}`))))
}

// cluster is the UID of a site.
func (s *scene) cluster(site string) string {
	s.t.Helper()
	var ns corev1.Namespace
	s.must(s.sites[site].Get(s.t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
	return string(ns.UID)
}

// TestUpgrade: a group whose status and journal are from before moves there and back, and loses nothing.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pair("db")
	s.ready(lab.West, "db", vgrv1.StateSecondary, 1)
	journal := fmt.Sprintf(`{"id":"0badc0de","kind":"planned","from":{"name":"west","cluster":%q},"to":{"name":"east","cluster":%q},"by":"root@vm","holder":"root@vm/1-1",`+
		`"revision":5,"started":"2026-01-01T00:00:00.000000Z","steps":[{"id":"record","started":"2026-01-01T00:00:00.000000Z","finished":"2026-01-01T00:00:01.000000Z"}],`+
		`"result":"done","finished":"2026-01-01T00:01:00.000000Z"}`, s.cluster(lab.West), s.cluster(lab.East))
	for _, site := range []string{lab.East, lab.West} {
		s.older(site, "db", journal)
	}
	for site, role := range map[string]vgrv1.State{lab.East: vgrv1.StatePrimary, lab.West: vgrv1.StateSecondary} {
		s.eventually("the controller to remember the role on "+site, func(ctx context.Context) error {
			var g vgrv1.VolumeGroupReplication
			if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "db"}, &g); err != nil {
				return err
			}
			if g.Status.StateSince == nil || g.Status.LastRole != role {
				return errors.New("it does not")
			}
			return nil
		})
	}
	if out := s.done("history", "db", "-n", s.ns); !strings.Contains(out, "planned failover 0badc0de from west to east") {
		t.Errorf("history says\n%s", out)
	}
	stop := s.application("db-data")
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	s.done("failover", "db", "-n", s.ns, "--to", "east", "--yes")
	stop()
	s.whole(lab.East, lab.West)
}
