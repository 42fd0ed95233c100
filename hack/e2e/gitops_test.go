// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// backends are groups "db" on each storage, with what tells that one site can write.
var backends = map[string]func(s *scene) (oneWriter func(site, other string)){
	"ceph": func(s *scene) func(site, other string) {
		s.pair("db")
		return s.whole
	},
	"dell": func(s *scene) func(site, other string) {
		d := newDellIn(s)
		return func(site, other string) {
			s.t.Helper()
			if !d.lab.PowerStore.Write(site, d.array(), 1) || d.lab.PowerStore.Write(other, d.array(), 1) {
				s.t.Errorf("%s is to be writable, and %s not", site, other)
			}
		}
	},
	"trident": func(s *scene) func(site, other string) { return newNetAppIn(s, "netapp", nil).oneWriter },
}

// git is the file of the first day, from which a group was made on a site.
func (s *scene) git(site string) *unstructured.Unstructured {
	s.t.Helper()
	g := s.get(site, "db")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": vgrv1.GroupVersion.String(), "kind": "VolumeGroupReplication",
		"metadata": map[string]any{"namespace": g.Namespace, "name": g.Name},
		"spec": map[string]any{
			"volumeGroupReplicationClass": g.Spec.VolumeGroupReplicationClass, "replicationState": string(g.Spec.ReplicationState),
			"selector": map[string]any{"matchLabels": map[string]any{"app": "db"}},
		},
	}}
}

// reverts are the ways in which a file is applied again.
func (s *scene) reverts(site string, file *unstructured.Unstructured, more ...client.PatchOption) map[string]func() error {
	apply := func(manager string) func() error {
		return func() error {
			opts := []client.ApplyOption{client.FieldOwner(manager), client.ForceOwnership}
			return s.sites[site].Apply(s.t.Context(), client.ApplyConfigurationFromUnstructured(file.DeepCopy()), opts...)
		}
	}
	return map[string]func() error{
		"Argo CD": apply("argocd-controller"),
		"Flux":    apply("kustomize-controller"),
		"kubectl patch": func() error {
			return s.sites[site].Patch(s.t.Context(), s.get(site, "db"), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicationState":"primary"}}`)), more...)
		},
	}
}

// TestGitOps: after a failover the old file is applied on the site that gave up the role, as GitOps does within
// seconds. The API server refuses it; without its policy the controller does. Then a failover goes back.
func TestGitOps(t *testing.T) {
	t.Parallel()
	for name, make := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			oneWriter := make(s)
			file := s.git(lab.East)
			s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
			for how, revert := range s.reverts(lab.East, file) {
				if err := revert(); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "run: kubectl vgr failover db -n "+s.ns+" --to SITE") {
					t.Errorf("%s was not refused: %v", how, err)
				}
			}
			oneWriter(lab.West, lab.East)
			s.done("failover", "db", "-n", s.ns, "--to", "east", "--yes")
			oneWriter(lab.East, lab.West)
		})
	}
}

// TestGitOpsWithoutPolicy is TestGitOps on servers without the policy, on which others count.
func TestGitOpsWithoutPolicy(t *testing.T) {
	t.Parallel()
	for name, make := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSceneAlone(t)
			oneWriter := make(s)
			file := s.git(lab.East)
			s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
			restore := s.withoutPolicy(lab.East, file)
			for how, revert := range s.reverts(lab.East, file) {
				if err := revert(); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				s.says(lab.East, "db", vgrv1.ReasonPromotionNotConfirmed, "kubectl vgr failover db -n "+s.ns)
			}
			time.Sleep(settle)
			s.says(lab.East, "db", vgrv1.ReasonPromotionNotConfirmed, "kubectl vgr failover db -n "+s.ns)
			oneWriter(lab.West, lab.East)
			restore()
			s.done("failover", "db", "-n", s.ns, "--to", "east", "--yes")
			oneWriter(lab.East, lab.West)
			for _, site := range []string{lab.East, lab.West} {
				want := map[string]vgrv1.State{lab.East: vgrv1.StatePrimary, lab.West: vgrv1.StateSecondary}[site]
				if got := s.get(site, "db").Status.State; got != want {
					t.Errorf("%s is %s", site, got)
				}
			}
		})
	}
}

// TestDemotedWithoutPolicy: a direct demotion on a storage that hands over moves nothing on servers without the policy
// either: the controller refuses it. A failover there then does what was asked for.
func TestDemotedWithoutPolicy(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	restore := d.withoutPolicy(lab.East, d.git(lab.East))
	d.eventually("the demotion to be accepted", func(ctx context.Context) error {
		return d.sites[lab.East].Patch(ctx, d.get(lab.East, "db"), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicationState":"secondary"}}`)))
	})
	d.says(lab.East, "db", vgrv1.ReasonRoleDiffers, "kubectl vgr failover db -n "+d.ns)
	time.Sleep(settle)
	d.did()
	restore()
	d.done("failover", "db", "-n", d.ns, "--to", "west", "--yes")
	d.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	d.did("east FAILOVER_REMOTE", "west REPROTECT_LOCAL")
}

// withoutPolicy takes the binding of the policy away from a site, until the returned function is called.
func (s *scene) withoutPolicy(site string, file *unstructured.Unstructured) (restore func()) {
	s.t.Helper()
	c := s.sites[site]
	all, err := manifests.Install(manifests.Options{})
	s.must(err)
	dry := s.reverts(site, file, client.DryRunAll)["kubectl patch"]
	s.must(c.Delete(s.t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: manifests.PromotionPolicy}}))
	s.eventually("the policy to end", func(context.Context) error { return dry() })
	restored := false
	restore = func() {
		if restored {
			return
		}
		restored = true
		for _, u := range all {
			if u.GetKind() == "ValidatingAdmissionPolicyBinding" && u.GetName() == manifests.PromotionPolicy {
				s.must(c.Create(context.WithoutCancel(s.t.Context()), u))
			}
		}
	}
	s.t.Cleanup(restore)
	return restore
}
