// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// TestMetricsAreAuthorized: the controller, with the permissions that install gives it, serves metrics only to a client
// whose token its API server accepts and who may get /metrics there.
func TestMetricsAreAuthorized(t *testing.T) {
	at := testserver.Start(t)
	c := at.Client(t)
	install(t, c)
	controller := at.User(t, "system:serviceaccount:vgr-system:vgr-controller")

	address := free(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, controller.Config(), options{metrics: address, metricsSecure: true, probes: "0", leaderElect: true, leaderNamespace: "vgr-system"})
	}()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	over := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the certificate is self-signed
	for name, want := range map[string]int{"": http.StatusUnauthorized, "stranger": http.StatusForbidden, "prometheus": http.StatusOK} {
		token := ""
		if name != "" {
			token = account(t, c, name)
		}
		var got int
		err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", http.NoBody)
			if err != nil {
				return false, err
			}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			answer, err := over.Do(r)
			if err != nil {
				return false, nil //nolint:nilerr // it has not started
			}
			got = answer.StatusCode
			return got == want, answer.Body.Close()
		})
		if err != nil {
			t.Errorf("as %q: answer %d, not %d: %v", name, got, want, err)
		}
	}
	answer, err := http.Get("http://" + address + "/metrics") //nolint:noctx // it is refused at once
	if err == nil {
		if answer.StatusCode == http.StatusOK {
			t.Error("plain HTTP is served too")
		}
		must(t, answer.Body.Close())
	}
}

// install creates what install creates, but for the controller itself.
func install(t *testing.T, c client.Client) {
	t.Helper()
	all, err := manifests.Install(manifests.Options{Image: "none"})
	must(t, err)
	for _, u := range all {
		if kind := u.GetKind(); kind == "Namespace" || u.GroupVersionKind().Group == rbacv1.GroupName {
			must(t, c.Create(t.Context(), u))
		}
	}
}

// account creates a ServiceAccount, which may get /metrics when it is that of Prometheus, and returns a token of it.
func account(t *testing.T, c client.Client, name string) string {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	must(t, c.Create(t.Context(), sa))
	if name == "prometheus" {
		meta := metav1.ObjectMeta{Name: "vgr-metrics-reader"}
		must(t, c.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}}))
		must(t, c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: sa.Namespace, Name: name}},
		}))
	}
	request := &authenticationv1.TokenRequest{}
	must(t, c.SubResource("token").Create(t.Context(), sa, request))
	return request.Status.Token
}

// free is an address that nothing listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
