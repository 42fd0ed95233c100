// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// besideAPrimary deletes the group on both sites, which leaves its replication, and makes it anew: never on the site of
// the copies as primary, and on the other one as it was.
func (s *scene) besideAPrimary(class string) {
	s.t.Helper()
	groups := map[string]client.Object{lab.West: s.get(lab.West, "db"), lab.East: s.get(lab.East, "db")}
	on := map[string][]string{lab.East: {"--context", "east", "--peer-context", "west", "--yes"}, lab.West: {"--context", "west", "--peer-context", "east", "--yes"}}
	for site, g := range groups {
		s.done(append([]string{"delete", "db", "-n", s.ns}, on[site]...)...)
		s.gone(site, g)
	}
	create := []string{"create", "db", "-n", s.ns, "--class", class, "-l", "app=db"}
	r := s.vgr(append(create, on[lab.West]...)...)
	want := "kubectl vgr create db -n " + s.ns + " --class " + class + " -l app=db --context east --peer-context west makes west the secondary"
	if r.code != 2 || !strings.Contains(r.errOut, "create never promotes what exists") || !strings.Contains(r.errOut, want) {
		s.t.Errorf("beside a primary: exit code %d\n%s", r.code, r.errOut)
	}
	if r := s.vgr(append(create, "--state", "secondary", "--yes")...); r.code != 2 {
		s.t.Errorf("a primary as secondary: exit code %d\n%s", r.code, r.errOut)
	}
	s.done(append(create, on[lab.East]...)...)
	s.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	s.ready(lab.West, "db", vgrv1.StateSecondary, 2)
}

// TestCreateBesideAPrimary: on Ceph.
func TestCreateBesideAPrimary(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data", "logs")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.besideAPrimary(gold)
	for _, img := range s.images(lab.East) {
		if img.SplitBrain || img.Copies["west"].Primary {
			t.Errorf("image %+v", img)
		}
	}
}

// TestDellCreateBesideAPrimary: and nothing is asked of the arrays.
func TestDellCreateBesideAPrimary(t *testing.T) {
	t.Parallel()
	d := newDell(t)
	d.besideAPrimary("dell")
	d.did()
}

// TestTridentCreateBesideAPrimary: and a copy of another volume is not taken for one of this.
func TestTridentCreateBesideAPrimary(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	n.besideAPrimary("netapp")
	n.oneWriter(lab.East, lab.West)

	old := n.volume(lab.East, "data")
	n.done("delete", "db", "-n", n.ns, "--yes")
	n.done("delete", "db", "-n", n.ns, "--yes", "--context", "west", "--peer-context", "east")
	m, err := n.relationship(lab.East, "data")
	n.must(err)
	n.must(n.sites[lab.East].Delete(t.Context(), m))
	n.gone(lab.East, m)
	claim := n.claim("data", lab.TridentStorageClass, map[string]string{"app": "db"})
	n.must(n.sites[lab.East].Delete(t.Context(), claim))
	n.gone(lab.East, claim)
	n.appClaims("data")
	r := n.vgr("create", "db", "-n", n.ns, "--class", "netapp", "-l", "app=db", "--yes")
	if now := n.volume(lab.East, "data"); r.code != 2 || !strings.Contains(r.errOut, "TridentMirrorRelationship data follows "+old+", the volume of PVC data is "+now) {
		t.Errorf("a relationship that follows %s, not %s: exit code %d\n%s", old, now, r.code, r.errOut)
	}
}
