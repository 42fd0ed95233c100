// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

const injected = "the disk is on fire"

func (s *scene) breakRPC(site, rpc, code string) {
	s.t.Helper()
	s.must(s.lab.Inject(s.t.Context(), lab.Fault{Kind: lab.FaultRPC, Site: site, RPC: &driver.Fault{RPC: rpc, Code: code, Message: injected}}))
}

func (s *scene) mendRPC(site, rpc string) {
	s.t.Helper()
	s.must(s.lab.Heal(s.t.Context(), lab.Fault{Kind: lab.FaultRPC, Site: site, RPC: &driver.Fault{RPC: rpc}}))
}

// words is what a group says: the reason of Ready, and a part of its message.
type words struct{ reason, text string }

// TestRPC breaks each call that csi-addons makes to the driver in each way. What csi-addons says of
// it is on the group; where csi-addons is silent, the group says what it waits for. When the fault
// goes, the group gets where it was to go.
func TestRPC(t *testing.T) {
	t.Parallel()
	const silent = "csi-addons writes the cause of a failure to its manager's log only"
	waiting := words{vgrv1.ReasonProgressing, "waiting for the backend's answer"}
	cases := map[string]struct {
		rpc string
		// to is where the group goes when the call breaks.
		to vgrv1.ReplicationState
		// joins is a PVC that comes when the call breaks: the first members come with the group.
		joins string
		says  map[string]words
	}{
		"create the group": {rpc: "CreateVolumeGroup", to: vgrv1.Primary, says: map[string]words{
			"INTERNAL": {vgrv1.ReasonProgressing, silent}, "FAILED_PRECONDITION": {vgrv1.ReasonProgressing, silent}, driver.Hang: {vgrv1.ReasonProgressing, silent},
		}},
		"change the members": {rpc: "ModifyVolumeGroupMembership", to: vgrv1.Primary, joins: "logs", says: map[string]words{
			"INTERNAL": {vgrv1.ReasonProgressing, silent}, "FAILED_PRECONDITION": {vgrv1.ReasonProgressing, silent}, driver.Hang: {vgrv1.ReasonProgressing, silent},
		}},
		"enable": {rpc: "EnableVolumeReplication", to: vgrv1.Primary, says: map[string]words{
			"INTERNAL": {vgrv1.ReasonFailedToPromote, injected}, "FAILED_PRECONDITION": {vgrv1.ReasonFailedToPromote, injected}, driver.Hang: waiting,
		}},
		"promote": {rpc: "PromoteVolume", to: vgrv1.Primary, says: map[string]words{
			"INTERNAL": {vgrv1.ReasonFailedToPromote, injected}, "FAILED_PRECONDITION": {vgrv1.ReasonFailedToPromote, injected}, driver.Hang: waiting,
		}},
		"demote": {rpc: "DemoteVolume", to: vgrv1.Secondary, says: map[string]words{
			"INTERNAL": {vgrv1.ReasonFailedToDemote, injected}, "FAILED_PRECONDITION": {vgrv1.ReasonFailedToDemote, injected}, driver.Hang: waiting,
		}},
		"resync": {rpc: "ResyncVolume", to: vgrv1.Resync, says: map[string]words{
			"INTERNAL": {vgrv1.ReasonFailedToResync, injected}, "FAILED_PRECONDITION": {vgrv1.ReasonFailedToResync, injected}, driver.Hang: waiting,
		}},
	}
	for name, tc := range cases {
		for code, want := range tc.says {
			t.Run(name+"/"+code, func(t *testing.T) {
				t.Parallel()
				s := newSceneAlone(t)
				db := map[string]string{"app": "db"}
				s.claims(lab.East, db, "data")
				switch {
				case tc.joins != "":
					s.create(lab.East, s.group("db", gold, tc.to, db))
					s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
					s.breakRPC(lab.East, tc.rpc, code)
					s.claims(lab.East, db, tc.joins)
				case tc.to == vgrv1.Primary:
					s.breakRPC(lab.East, tc.rpc, code)
					s.create(lab.East, s.group("db", gold, tc.to, db))
				default:
					s.create(lab.East, s.group("db", gold, vgrv1.Primary, db))
					s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
					if tc.to == vgrv1.Resync {
						s.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
						s.ready(lab.East, "db", vgrv1.StateSecondary, 1)
					}
					s.breakRPC(lab.East, tc.rpc, code)
					s.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = tc.to })
				}
				s.says(lab.East, "db", want.reason, want.text)
				s.mendRPC(lab.East, tc.rpc)
				s.answers("db", tc.to)
			})
		}
	}
}

// answers waits until the backend has answered for the present spec, without an error.
func (s *scene) answers(name string, to vgrv1.ReplicationState) {
	s.t.Helper()
	s.eventually(name+" to recover", func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: name}, &g); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
		well := ready != nil && g.Status.ObservedGeneration == g.Generation &&
			(ready.Status == metav1.ConditionTrue || to == vgrv1.Resync && ready.Reason == vgrv1.ReasonResyncing)
		if !well {
			return fmt.Errorf("status %+v", g.Status)
		}
		return nil
	})
}

// TestInfo: a primary whose replication cannot be observed is primary, and nothing is claimed
// about its replication.
func TestInfo(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"INTERNAL", "FAILED_PRECONDITION"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newSceneAlone(t)
			db := map[string]string{"app": "db"}
			s.claims(lab.East, db, "data")
			s.breakRPC(lab.East, "GetVolumeReplicationInfo", code)
			s.create(lab.East, s.group("db", gold, vgrv1.Primary, db))
			s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
			replicating := func(want metav1.ConditionStatus) func(context.Context) error {
				return func(context.Context) error {
					g := s.get(lab.East, "db")
					c := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReplicating)
					if c == nil || c.Status != want || (want == metav1.ConditionTrue) != (g.Status.LastSyncTime != nil) {
						return fmt.Errorf("Replicating is %+v, last sync %v", c, g.Status.LastSyncTime)
					}
					return nil
				}
			}
			s.eventually("replication to be unknown", replicating(metav1.ConditionUnknown))
			s.mendRPC(lab.East, "GetVolumeReplicationInfo")
			s.eventually("replication to be known", replicating(metav1.ConditionTrue))
		})
	}
}

// TestDeletionBlocked: the driver does not let go, csi-addons says nothing, the group does.
func TestDeletionBlocked(t *testing.T) {
	t.Parallel()
	for _, rpc := range []string{"DisableVolumeReplication", "DeleteVolumeGroup"} {
		t.Run(rpc, func(t *testing.T) {
			t.Parallel()
			s := newSceneAlone(t)
			g := s.primaryGroup("db")
			s.breakRPC(lab.East, rpc, "INTERNAL")
			s.must(s.sites[lab.East].Delete(t.Context(), g))
			s.says(lab.East, "db", vgrv1.ReasonDeleting, "waiting for csi-addons")
			s.mendRPC(lab.East, rpc)
			s.gone(lab.East, g)
			s.nothingLeft()
		})
	}
}

// primaryGroup makes a group that ends its replication when it is deleted.
func (s *scene) primaryGroup(name string) *vgrv1.VolumeGroupReplication {
	s.t.Helper()
	labels := map[string]string{"app": name}
	s.claims(lab.East, labels, name+"-data")
	g := s.group(name, gold, vgrv1.Primary, labels)
	g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
	s.create(lab.East, g)
	s.ready(lab.East, name, vgrv1.StatePrimary, 1)
	return g
}

// nothingLeft waits until no backend object of this test's namespace is left on east.
func (s *scene) nothingLeft() {
	s.t.Helper()
	s.eventually("no backend object to be left", func(ctx context.Context) error {
		var groups replicationv1.VolumeGroupReplicationList
		var volumes replicationv1.VolumeReplicationList
		var contents replicationv1.VolumeGroupReplicationContentList
		c := s.sites[lab.East]
		err := errors.Join(c.List(ctx, &groups, client.InNamespace(s.ns)), c.List(ctx, &volumes, client.InNamespace(s.ns)), c.List(ctx, &contents))
		n := len(groups.Items) + len(volumes.Items)
		for _, content := range contents.Items {
			if ref := content.Spec.VolumeGroupReplicationRef; ref != nil && ref.Namespace == s.ns {
				n++
			}
		}
		if err == nil && n > 0 {
			err = fmt.Errorf("%d are left", n)
		}
		return err
	})
}

// TestClassDeletedFirst: csi-addons needs its classes to take a group apart; ours may be gone.
func TestClassDeletedFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: s.ns}, Spec: vgrv1.ClassSpec{Provisioner: driver.FastName, Parameters: map[string]string{"backend": "csi-addons", "schedulingInterval": "3m"}}}
	s.create(lab.East, class)
	labels := map[string]string{"app": "db"}
	s.claims(lab.East, labels, "data")
	g := s.group("db", class.Name, vgrv1.Primary, labels)
	g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
	s.create(lab.East, g)
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	s.must(s.sites[lab.East].Delete(t.Context(), class))
	s.says(lab.East, "db", vgrv1.ReasonClassNotFound, class.Name)
	s.mirrored(lab.East, "data") // replication continues
	s.must(s.sites[lab.East].Delete(t.Context(), g))
	s.gone(lab.East, g)
	s.nothingLeft()
	s.eventually("the derived classes to be gone", func(ctx context.Context) error {
		var classes replicationv1.VolumeGroupReplicationClassList
		if err := s.sites[lab.East].List(ctx, &classes, client.MatchingLabels{vgrv1.LabelClass: class.Name}); err != nil {
			return err
		}
		if len(classes.Items) > 0 {
			return fmt.Errorf("%s is left", classes.Items[0].Name)
		}
		return nil
	})
}

// TestManagerDown: no manager answers for the backend, and the group does not pretend.
func TestManagerDown(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	g := s.primaryGroup("db")
	fault := lab.Fault{Kind: lab.FaultProcess, Site: lab.East, Process: lab.CSIAddons, Crash: true}
	s.must(s.lab.Inject(t.Context(), fault))
	s.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
	s.says(lab.East, "db", vgrv1.ReasonProgressing, "waiting for the backend's answer")
	if now := s.get(lab.East, "db"); now.Status.State != vgrv1.StatePrimary || now.Status.ObservedGeneration == now.Generation {
		t.Errorf("status %+v", now.Status)
	}
	s.must(s.lab.Heal(t.Context(), fault))
	s.ready(lab.East, "db", vgrv1.StateSecondary, 1)
	s.promoteUnguarded(lab.East, "db")
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)

	s.must(s.lab.Inject(t.Context(), fault)) // and no call ends it
	s.must(s.sites[lab.East].Delete(t.Context(), g))
	s.says(lab.East, "db", vgrv1.ReasonDeleting, "waiting for csi-addons")
	s.must(s.lab.Heal(t.Context(), fault))
	s.gone(lab.East, g)
	s.nothingLeft()
}

// TestControllerKilled kills our controller in the middle of each transition. The one that follows
// finishes it.
func TestControllerKilled(t *testing.T) {
	t.Parallel()
	db := map[string]string{"app": "db"}
	primary := func(s *scene) { s.ready(lab.East, "db", vgrv1.StatePrimary, 1) }
	transitions := map[string]struct {
		rpc    string // takes long, so that there is a middle
		before func(s *scene)
		begin  func(s *scene)
		after  func(s *scene)
	}{
		"create": {
			rpc:   "CreateVolumeGroup",
			begin: func(s *scene) { s.create(lab.East, s.group("db", gold, vgrv1.Primary, db)) },
			after: primary,
		},
		"promote": {
			rpc:   "PromoteVolume",
			begin: func(s *scene) { s.create(lab.East, s.group("db", gold, vgrv1.Primary, db)) },
			after: primary,
		},
		"demote": {
			rpc:    "DemoteVolume",
			before: func(s *scene) { s.create(lab.East, s.group("db", gold, vgrv1.Primary, db)); primary(s) },
			begin: func(s *scene) {
				s.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
			},
			after: func(s *scene) { s.ready(lab.East, "db", vgrv1.StateSecondary, 1) },
		},
		"a PVC joins": {
			rpc:    "ModifyVolumeGroupMembership",
			before: func(s *scene) { s.create(lab.East, s.group("db", gold, vgrv1.Primary, db)); primary(s) },
			begin:  func(s *scene) { s.claims(lab.East, db, "logs") },
			after:  func(s *scene) { s.ready(lab.East, "db", vgrv1.StatePrimary, 2) },
		},
		"delete": {
			rpc: "DisableVolumeReplication",
			before: func(s *scene) {
				g := s.group("db", gold, vgrv1.Primary, db)
				g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
				s.create(lab.East, g)
				primary(s)
			},
			begin: func(s *scene) {
				s.must(s.sites[lab.East].Delete(s.t.Context(), s.group("db", gold, vgrv1.Primary, db)))
			},
			after: func(s *scene) { s.gone(lab.East, s.group("db", gold, vgrv1.Primary, db)); s.nothingLeft() },
		},
	}
	for name, tr := range transitions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSceneAlone(t)
			s.claims(lab.East, db, "data")
			if tr.before != nil {
				tr.before(s)
			}
			calls := s.lab.Site(lab.East).Driver.Faults.Calls()[tr.rpc]
			s.breakRPC(lab.East, tr.rpc, driver.Hang)
			tr.begin(s)
			s.eventually("the driver to be called", func(context.Context) error {
				if n := s.lab.Site(lab.East).Driver.Faults.Calls()[tr.rpc]; n == calls {
					return fmt.Errorf("%d calls of %s", n, tr.rpc)
				}
				return nil
			})
			s.must(s.lab.Site(lab.East).Kill(t.Context(), lab.Controller))
			s.mendRPC(lab.East, tr.rpc)
			s.must(s.lab.Site(lab.East).StartProc(lab.Controller))
			tr.after(s)
		})
	}
}
