// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// TestReach: who has taken over the controller of one cluster reads no Secret, runs no Pod, ends no volume, and gives
// no one rights. An API server is asked about the shipped role.
func TestReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	may := func(verb, group, resource, namespace string) bool {
		resource, subresource, _ := strings.Cut(resource, "/")
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:vgr-system:vgr-controller", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:vgr-system", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: "x"},
		}}
		if err := w.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
	for _, never := range []struct{ group, resource, verbs string }{
		{"", "secrets", "get list watch create update patch delete"},
		{"", "configmaps", "get list create update patch delete"},
		{"", "pods", "get list create patch delete"},
		{"", "pods/exec", "create"},
		{"", "serviceaccounts/token", "create"},
		{"", "nodes", "get list patch"},
		{"", "namespaces", "create delete patch"},
		{"", "persistentvolumeclaims", "create update patch delete deletecollection"},
		{"", "persistentvolumes", "create update patch delete deletecollection"},
		{"", "users", "impersonate"},
		{"apps", "deployments", "create patch"},
		{"apps", "deployments/scale", "update patch"},
		{"rbac.authorization.k8s.io", "clusterroles", "create update patch escalate bind"},
		{"rbac.authorization.k8s.io", "clusterrolebindings", "create update patch"},
		{"rbac.authorization.k8s.io", "rolebindings", "create update patch"},
		{"apiextensions.k8s.io", "customresourcedefinitions", "create update patch delete"},
		{"admissionregistration.k8s.io", "validatingadmissionpolicies", "update patch delete"},
		{"storage.k8s.io", "storageclasses", "create update patch delete"},
		{"replication.unified.io", "volumegroupreplications", "create delete deletecollection"},
		{"replication.unified.io", "volumegroupreplicationclasses", "create update patch delete"},
		{"replication.storage.openshift.io", "volumegroupreplicationcontents", "create delete"},
		{"replication.storage.dell.com", "dellcsireplicationgroups", "create update delete"},
		{"csiaddons.openshift.io", "csiaddonsnodes", "create update patch delete"},
	} {
		for verb := range strings.FieldsSeq(never.verbs) {
			if may(verb, never.group, never.resource, "production") {
				t.Errorf("it may %s %s in %q", verb, never.resource, never.group)
			}
		}
	}
	if may("update", "coordination.k8s.io", "leases", "production") || !may("update", "coordination.k8s.io", "leases", "vgr-system") {
		t.Error("its Leases are those of its own namespace")
	}
}
