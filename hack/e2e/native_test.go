// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// TestNativeControllers: with the vendors' controllers, and nothing of ours, groups are shown as their storage is, before and after
// a change of roles, and while one site is down.
func TestNativeControllers(t *testing.T) {
	t.Parallel()
	w := bareWorld(t)
	t.Run("VolumeReplications", func(t *testing.T) { nativeVolumes(newSceneIn(t, w)) })
	t.Run("VolumeGroupReplication", func(t *testing.T) { nativeGroup(newSceneIn(t, w)) })
	t.Run("Dell", func(t *testing.T) { nativeDell(newSceneIn(t, w)) })
}

// judged are the groups of the scene as the plugin shows them, by name.
func (s *scene) judged(args ...string) (map[string]overview.Group, error) {
	r := s.vgr(append([]string{"list", "-n", s.ns, "-o", "json"}, args...)...)
	var o overview.Overview
	if err := json.Unmarshal([]byte(r.out), &o); err != nil || r.code != 0 {
		return nil, fmt.Errorf("exit code %d, %w: %s%s", r.code, err, r.out, r.errOut)
	}
	out := map[string]overview.Group{}
	for _, g := range o.Groups {
		out[g.Name] = g
	}
	return out, nil
}

// settles waits until each of the groups is of a phase with its primary on a site.
func (s *scene) settles(phase overview.Phase, primary string, names ...string) map[string]overview.Group {
	s.t.Helper()
	var got map[string]overview.Group
	s.eventually(fmt.Sprintf("%v to be %s with the primary %q", names, phase, primary), func(context.Context) (err error) {
		if got, err = s.judged(); err != nil {
			return err
		}
		if len(got) != len(names) {
			return fmt.Errorf("%d groups: %v", len(got), got)
		}
		for _, name := range names {
			g, at := got[name], ""
			if p, ok := g.Primary(); ok {
				at = p.Site
			}
			if g.Verdict.Phase != phase || at != primary {
				return fmt.Errorf("%s on %q: %+v", name, at, g.Verdict)
			}
		}
		return nil
	})
	return got
}

// follows starts a watch and returns what waits for a row of a group.
func (s *scene) follows(name string) (shows func(east, west, health string), ends func()) {
	s.t.Helper()
	w := s.watch()
	shows = func(east, west, health string) {
		s.t.Helper()
		row := regexp.MustCompile(fmt.Sprintf(`^%s +%s +%s .* %s\b`, name, east, west, health))
		giveUp := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
		defer giveUp.Stop()
		for w.lines.Scan() {
			if row.MatchString(w.lines.Text()) {
				return
			}
		}
		s.t.Fatalf("the watch ended before %s", row)
	}
	return shows, w.ends
}

// isolated shows what is known while west is down: each group with east's state, and none called Protected.
func (s *scene) isolated(names ...string) {
	s.t.Helper()
	mend := s.isolate(lab.West)
	got, err := s.judged("--request-timeout", "3s")
	s.must(err)
	for _, name := range names {
		if g := got[name]; g.Verdict.Phase != overview.Unreachable || g.Sites[0].State == "" || g.Verdict.Message == "" {
			s.t.Errorf("%s while west is down: %+v", name, g)
		}
	}
	mend()
}

func nativeVolumes(s *scene) {
	h := newFastHandmade(s, "data", "logs")
	got := s.settles(overview.Protected, lab.East, "db-data", "db-logs")
	for name, g := range got {
		if g.ManagedBy != "csi-addons" || g.LagSeconds == nil || len(g.Sites) != 2 || len(g.Sites[0].Volumes) != 1 {
			s.t.Errorf("%s: %+v", name, g)
		}
	}
	together, err := s.judged("--group-by", "app")
	s.must(err)
	if g := together["db"]; len(together) != 1 || g.Verdict.Phase != overview.Protected || len(g.Sites[0].Volumes) != 2 {
		s.t.Errorf("by their label: %+v", together)
	}
	s.isolated("db-data", "db-logs")
	s.settles(overview.Protected, lab.East, "db-data", "db-logs")

	shows, ends := s.follows("db-data")
	shows("Primary", "Secondary", "Protected")
	h.become(lab.East, replicationv1.Secondary)
	shows("Secondary", "Secondary", "PrimaryLost")
	s.settles(overview.NoPrimary, "", "db-data", "db-logs")
	h.become(lab.West, replicationv1.Primary)
	shows("Secondary", "Primary", "Protected")
	ends()
	s.settles(overview.Protected, lab.West, "db-data", "db-logs")
	if r := s.vgr("status", "db-data", "-n", s.ns); r.code != 0 || !strings.Contains(r.out, "west is primary and replicates in time") {
		s.t.Errorf("%+v", r)
	}

	h.must(s.lab.Inject(s.t.Context(), lab.Fault{Kind: lab.FaultLink}))
	h.become(lab.East, replicationv1.Primary) // csi-addons forces it
	for name, g := range s.settles(overview.SplitBrain, "", "db-data", "db-logs") {
		if !strings.Contains(g.Verdict.Message, "both report primary") {
			s.t.Errorf("%s: %+v", name, g.Verdict)
		}
	}
}

// become asks csi-addons for a role by editing the objects, and waits until it confirms.
func (h handmade) become(site string, role replicationv1.ReplicationState) {
	h.t.Helper()
	for _, vr := range h.replications(site) {
		before := vr.DeepCopy()
		vr.Spec.ReplicationState = role
		h.must(h.sites[site].Patch(h.t.Context(), &vr, client.MergeFrom(before)))
	}
	h.confirmed(site, map[replicationv1.ReplicationState]replicationv1.State{replicationv1.Primary: replicationv1.PrimaryState, replicationv1.Secondary: replicationv1.SecondaryState}[role])
}

func nativeGroup(s *scene) {
	h := handmadeGroup(s, "data", "logs")
	g := s.settles(overview.Protected, lab.East, "by-hand")["by-hand"]
	if g.ManagedBy != "csi-addons" || len(g.Sites) != 2 || len(g.Sites[0].Volumes) != 2 || len(g.Sites[1].Volumes) != 2 || g.Sites[0].Native == nil || g.Sites[0].Native.Kind != "VolumeGroupReplication" {
		s.t.Errorf("%+v", g)
	}
	s.isolated("by-hand")
	become := func(site string, role replicationv1.ReplicationState) {
		group := h.nativeOn(site)
		before := group.DeepCopy()
		group.Spec.ReplicationState = role
		h.must(h.sites[site].Patch(s.t.Context(), group, client.MergeFrom(before)))
	}
	shows, ends := s.follows("by-hand")
	shows("Primary", "Secondary", "Protected")
	become(lab.East, replicationv1.Secondary)
	shows("Secondary", "Secondary", "PrimaryLost")
	become(lab.West, replicationv1.Primary)
	shows("Secondary", "Primary", "Protected")
	ends()
	s.settles(overview.Protected, lab.West, "by-hand")
}

func nativeDell(s *scene) {
	d := dell{s}
	for _, name := range []string{"data", "logs"} {
		d.create(lab.East, d.claim(name, lab.DellStorageClass, map[string]string{"app": "db"}))
		d.bound(lab.East, name)
		d.grouped(name) // else Dell's sidecar may make two groups of the one: see TestDellTwins
	}
	rg := d.grouped("data")
	g := s.settles(overview.Protected, lab.East, rg.GetName())[rg.GetName()]
	if g.ManagedBy != "dell" || len(g.Sites) != 2 || len(g.Sites[0].Volumes) != 2 || len(g.Sites[1].Volumes) != 2 || g.Sites[0].Native == nil {
		s.t.Errorf("%+v", g)
	}
	s.isolated(rg.GetName())
	s.settles(overview.Protected, lab.East, rg.GetName())
	shows, ends := s.follows(rg.GetName())
	shows("Primary", "Secondary", "Protected")
	asks := func(site, action string) {
		s.must(s.sites[site].Patch(s.t.Context(), rg.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"action":"`+action+`"}}`))))
		s.eventually("Dell to have done "+action, func(ctx context.Context) error {
			there := &unstructured.Unstructured{}
			there.SetGroupVersionKind(rg.GroupVersionKind())
			if err := s.sites[site].Get(ctx, client.ObjectKeyFromObject(rg), there); err != nil {
				return err
			}
			if left, _, _ := unstructured.NestedString(there.Object, "spec", "action"); left != "" {
				return fmt.Errorf("%s is under way", left)
			}
			return nil
		})
	}
	asks(lab.East, "FAILOVER_REMOTE")
	asks(lab.West, "REPROTECT_LOCAL")
	shows("Secondary", "Primary", "Protected")
	ends()
	s.settles(overview.Protected, lab.West, rg.GetName())
}
