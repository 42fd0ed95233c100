// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/controller"
)

// hidden is a backend whose objects the controller has no permission to list.
type hidden struct{ backend.Adapter }

func (hidden) CRDs() []string { return nil }

func (hidden) Watches() []backend.Watch { return []backend.Watch{{Object: &corev1.ConfigMap{}}} }

func (hidden) Apply(context.Context, backend.Group) error { return nil }

func (hidden) Observe(context.Context, backend.Group) (backend.Observation, error) {
	return backend.Observation{}, nil
}

func (hidden) Remove(_ context.Context, _ backend.Owner, retain bool) (backend.Removal, error) {
	return backend.Removal{Done: retain}, nil
}

// TestBackendThatCannotBeWatched: its groups say so and heal; those of other backends keep working.
func TestBackendThatCannotBeWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true, controller.Backend{
		Profile: backend.Profile{Name: "hidden", Provisioners: []string{"hidden.example.com"}, CheckParameters: func(backend.Class) []backend.Problem { return nil }},
		Adapter: hidden{},
	})
	w.connect()
	w.create(&vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}, Spec: vgrv1.ClassSpec{Provisioner: "hidden.example.com"}})
	w.class("gold", nil)
	var keys []client.ObjectKey
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"} { // more than there are workers
		labels := map[string]string{"app": name}
		w.boundPVC(name, "hidden.example.com", labels)
		keys = append(keys, client.ObjectKeyFromObject(w.group(name, "hidden", labels)))
	}
	db := map[string]string{"app": "db"}
	w.boundPVC("data", driver, db)
	w.says("[user] creates a group of another backend", client.ObjectKeyFromObject(w.group("db", "gold", db)), "False/Progressing: waiting for the csi-addons manager")
	for _, key := range keys {
		w.says("[user] creates a group of a backend that may not be listed", key, "False/BackendError: the controller cannot watch the objects of hidden: configmaps is forbidden")
	}
	w.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "more"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}}}})
	w.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "more"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "more"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "system:serviceaccount:vgr-system:vgr-controller"}},
	})
	w.says("[admin] grants the permission", keys[0], "False/Progressing: the backend has been asked")
}
