// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package testserver starts API servers for tests: kube-apiserver and etcd, with the CRDs of the product. Only tests
// import it.
package testserver

import (
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Server is an API server that ends with the test.
type Server struct {
	// Admin may do everything.
	Admin *rest.Config
	env   *envtest.Environment
}

// Start returns an API server with the CRDs of the product, and those in more directories. The test is skipped
// without KUBEBUILDER_ASSETS.
func Start(t *testing.T, crds ...string) *Server {
	t.Helper()
	return start(t, 1, append(crds, product(t)))[0]
}

// StartWithout returns one without the CRDs of the product.
func StartWithout(t *testing.T, crds ...string) *Server {
	t.Helper()
	return start(t, 1, crds)[0]
}

// StartTwo returns two of them, started at the same time.
func StartTwo(t *testing.T, crds ...string) (east, west *Server) {
	t.Helper()
	all := start(t, 2, append(crds, product(t)))
	return all[0], all[1]
}

// StartTwoWithout returns two of them without the CRDs of the product.
func StartTwoWithout(t *testing.T, crds ...string) (east, west *Server) {
	t.Helper()
	all := start(t, 2, crds)
	return all[0], all[1]
}

// product returns the directory of the product's CRDs.
func product(t *testing.T) string {
	t.Helper()
	return filepath.Join(root(t), "pkg", "manifests", "crd")
}

func start(t *testing.T, n int, crds []string) []*Server {
	t.Helper()
	if path, _ := os.LookupEnv("KUBEBUILDER_ASSETS"); path == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: no API server to test with (make test sets it)")
	}
	log.SetLogger(logr.Discard()) // controller-runtime complains when there is none
	servers, errs := make([]*Server, n), make([]error, n)
	var all sync.WaitGroup
	for i := range servers {
		s := &Server{env: &envtest.Environment{CRDDirectoryPaths: crds, ErrorIfCRDPathMissing: true}}
		servers[i] = s
		all.Go(func() { s.Admin, errs[i] = s.env.Start() })
		t.Cleanup(func() {
			if err := s.env.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		check(t, err)
	}
	return servers
}

// Scheme returns the scheme of client-go and of the product, and more.
func Scheme(t *testing.T, more ...func(*runtime.Scheme) error) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range append([]func(*runtime.Scheme) error{clientgoscheme.AddToScheme, vgrv1.AddToScheme}, more...) {
		check(t, add(scheme))
	}
	return scheme
}

// Client returns the administrator's client, with Scheme.
func (s *Server) Client(t *testing.T, more ...func(*runtime.Scheme) error) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(s.Admin, client.Options{Scheme: Scheme(t, more...)})
	check(t, err)
	return c
}

// User returns a user who may do what RBAC permits.
func (s *Server) User(t *testing.T, name string, groups ...string) *envtest.AuthenticatedUser {
	t.Helper()
	u, err := s.env.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	check(t, err)
	return u
}

// Etcd returns the address of the server's etcd.
func (s *Server) Etcd() *url.URL { return s.env.ControlPlane.Etcd.URL }

// root returns the directory of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	check(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "pkg", "manifests", "crd")); err == nil {
			return dir
		}
	}
	t.Fatal("the test does not run in the module")
	return ""
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
