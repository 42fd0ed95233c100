// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// TestSwitchRoles is the life of a group as its user sees it, by the plugin alone. Writes that were
// acknowledged before the demotion must be on the other side after it.
func TestSwitchRoles(t *testing.T) {
	t.Parallel()
	for _, class := range []string{gold, single} {
		t.Run(class, func(t *testing.T) {
			s := newScene(t)
			db := map[string]string{"app": "db"}
			s.claims(lab.East, db, "data", "logs", "config")
			s.done("create", "db", "-n", s.ns, "--class", class, "-l", "app=db", "--yes")
			s.ready(lab.East, "db", vgrv1.StatePrimary, 3)
			s.ready(lab.West, "db", vgrv1.StateSecondary, 3)

			for i, switching := range []struct{ from, to string }{{lab.East, lab.West}, {lab.West, lab.East}} {
				s.must(s.lab.Site(switching.from).Write(t.Context(), s.ns+"/data", int64(7*(i+1))))
				if r := s.vgr("promote", "db", "-n", s.ns, "--context", switching.to, "--peer-context", switching.from, "--yes"); r.code != 2 {
					t.Errorf("promote beside a primary: exit code %d, want 2\n%s", r.code, r.errOut)
				}
				s.done("demote", "db", "-n", s.ns, "--context", switching.from, "--peer-context", switching.to, "--yes")
				s.done("promote", "db", "-n", s.ns, "--context", switching.to, "--peer-context", switching.from, "--yes")
				for _, img := range s.images(switching.to) {
					if img.SplitBrain || !img.Copies[array.Site(switching.to)].Primary || img.Copies[array.Site(switching.from)].Primary {
						t.Errorf("image %s after the switch to %s: %+v", img.Name, switching.to, img)
					}
					if has := img.Copies[array.Site(switching.to)].Writes; has != img.Acknowledged {
						t.Errorf("image %s has %d of %d acknowledged writes", img.Name, has, img.Acknowledged)
					}
				}
				s.ready(switching.to, "db", vgrv1.StatePrimary, 3)
				s.ready(switching.from, "db", vgrv1.StateSecondary, 3)
			}
			s.protected("db")
		})
	}
}

// protected waits until the plugin's verdict is that all is well, and compares what it shows with
// what the array knows.
func (s *scene) protected(name string) {
	s.t.Helper()
	var o overview.Overview
	s.eventually("the group to be protected", func(context.Context) error {
		if err := json.Unmarshal([]byte(s.done("status", name, "-n", s.ns, "-o", "json")), &o); err != nil {
			return err
		}
		if v := o.Groups[0].Verdict; v.Phase != overview.Protected {
			return fmt.Errorf("verdict %+v", v)
		}
		return nil
	})
	primary, ok := o.Groups[0].Primary()
	if !ok {
		s.t.Fatal("no primary in a protected pair")
	}
	handles := map[string]bool{}
	for _, v := range primary.Volumes {
		handles[v.VolumeHandle] = true
	}
	for _, img := range s.images(primary.Site) {
		if !handles[img.Handle] || !img.Copies[array.Site(primary.Site)].Primary {
			s.t.Errorf("the array has %+v, the plugin shows %v", img, handles)
		}
	}
}

// A demotion that has not crossed must not be followed by a promotion: csi-addons would force it.
func TestPromoteWaitsForTheLink(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultLink}))
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
	s.done("demote", "db", "-n", s.ns, "--yes")
	promote := []string{"promote", "db", "-n", s.ns, "--context", "west", "--peer-context", "east", "--yes"}
	r := s.vgr(append(promote, "--timeout", "20s")...)
	if r.code != 3 || !strings.Contains(r.errOut, "no site is primary") {
		t.Errorf("promote while the link is down: exit code %d\n%s", r.code, r.errOut)
	}
	if g := s.get(lab.West, "db"); g.Spec.ReplicationState != vgrv1.Secondary {
		t.Errorf("west was asked to be %s", g.Spec.ReplicationState)
	}
	s.must(s.lab.Heal(t.Context(), lab.Fault{Kind: lab.FaultLink}))
	s.done(promote...)
	for _, img := range s.images(lab.West) {
		if img.SplitBrain || img.Copies["west"].Writes != img.Acknowledged {
			t.Errorf("after the link came back: %+v", img)
		}
	}
}

// A volume that is in use cannot be demoted; the storage's words are on the group.
func TestDemoteInUse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pair("db")
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/db-data", true))
	if r := s.vgr("demote", "db", "-n", s.ns, "--yes", "--timeout", "20s"); r.code != 4 || !strings.Contains(r.errOut, "still published to a node") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	s.says(lab.East, "db", vgrv1.ReasonFailedToDemote, "still published to a node")
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/db-data", false))
	s.ready(lab.East, "db", vgrv1.StateSecondary, 1)
}

// TestResync is the way back after a site was given up: the old primary follows the new one and
// loses what it alone had.
func TestResync(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.must(s.lab.Site(lab.East).Cut(t.Context()))
	promote := []string{"promote", "db", "-n", s.ns, "--context", "west", "--peer-context", "east", "--yes"}
	if r := s.vgr(promote...); r.code != 6 {
		t.Errorf("promote without knowing the peer: exit code %d, want 6\n%s", r.code, r.errOut)
	}
	s.done(append(promote, "--accept-split-brain")...)
	s.must(s.lab.Site(lab.East).Reconnect(t.Context()))
	var o overview.Overview
	s.must(json.Unmarshal([]byte(s.done("list", "-n", s.ns, "-o", "json")), &o))
	if o.Groups[0].Verdict.Phase != overview.SplitBrain {
		t.Errorf("verdict %+v", o.Groups[0].Verdict)
	}
	s.done("resync", "db", "-n", s.ns, "--yes")
	s.eventually("the copies to be alike", func(context.Context) error {
		for _, img := range s.images(lab.West) {
			if img.SplitBrain || !img.Copies["west"].Primary || img.Copies["east"].Primary {
				return fmt.Errorf("image %+v", img)
			}
		}
		return nil
	})
}

// TestReprotect stays on the site that took over: the command that status names protects the group again, and once more
// changes nothing.
func TestReprotect(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Site(lab.East).Cut(t.Context()))
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	s.must(s.lab.Site(lab.East).Reconnect(t.Context()))
	reprotect := []string{"reprotect", "db", "-n", s.ns, "--discard-site", "east"}
	s.eventually("status to name the command", func(context.Context) error {
		if r := s.vgr("status", "db", "-n", s.ns, "-o", "json"); !strings.Contains(r.out, "kubectl vgr "+strings.Join(reprotect, " ")) {
			return fmt.Errorf("%s%s", r.out, r.errOut)
		}
		return nil
	})
	if r := s.vgr("reprotect", "db", "-n", s.ns, "--discard-site", "west", "--yes"); r.code != 2 {
		t.Errorf("the survivor is discarded: exit code %d\n%s", r.code, r.errOut)
	}
	if out := s.done(append(reprotect, "--yes")...); !strings.Contains(out, "follows west on east") {
		t.Errorf("it says: %s", out)
	}
	for _, img := range s.images(lab.West) {
		if img.SplitBrain || !img.Copies["west"].Primary || img.Copies["east"].Primary {
			t.Errorf("image %+v", img)
		}
	}
	if r := s.vgr(append(reprotect, "--yes", "--context", "west")...); r.code != 0 || !strings.Contains(r.errOut, "east follows west already") {
		t.Errorf("again: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
}

// TestDelete looks at both deletion policies.
func TestDelete(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.done("delete", "db", "-n", s.ns, "--yes")
	for _, img := range s.images(lab.East) {
		if !img.Mirrored {
			t.Error("replication ended although it was to be retained")
		}
	}
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes") // takes it over again
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	s.done("delete", "db", "-n", s.ns, "--end-replication", "--context", "west", "--peer-context", "east", "--yes")
	s.done("delete", "db", "-n", s.ns, "--end-replication", "--yes")
	for _, img := range s.images(lab.East) {
		if img.Mirrored {
			t.Errorf("image %s is mirrored after the deletion", img.Name)
		}
	}
	for _, site := range []string{lab.East, lab.West} {
		var left vgrv1.VolumeGroupReplicationList
		s.must(s.sites[site].List(t.Context(), &left, client.InNamespace(s.ns)))
		if len(left.Items) > 0 {
			t.Errorf("%d groups left on %s", len(left.Items), site)
		}
	}
}
