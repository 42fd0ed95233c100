// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestAuthProvider: a kubeconfig whose user has an identity provider, as kubectl takes it.
func TestAuthProvider(t *testing.T) {
	said := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { said <- r.Header.Get("Authorization") }))
	defer server.Close()
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	token := part(`{"alg":"none"}`) + "." + part(`{"exp":32503680000}`) + "." + part("signature")
	transport, err := rest.TransportFor(&rest.Config{Host: server.URL, AuthProvider: &clientcmdapi.AuthProviderConfig{
		Name: "oidc", Config: map[string]string{"idp-issuer-url": "https://issuer.example.com", "client-id": "vgr", "id-token": token},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got := <-said; got != "Bearer "+token {
		t.Errorf("the server was told %q", got)
	}
}
