// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestKubeconfigs: sites are reached as kubectl reaches them: by several files, login plugins, proxies, and the name in a
// certificate. What is not accepted is told of its site alone.
func TestKubeconfigs(t *testing.T) {
	b := newBench(t)
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	whole, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	dir := t.TempDir()
	write := func(name string, config *clientcmdapi.Config) string {
		t.Helper()
		file := filepath.Join(dir, name)
		b.must(clientcmd.WriteToFile(*config, file))
		return file
	}
	changed := func(name string, change func(*clientcmdapi.Config)) string {
		t.Helper()
		config := whole.DeepCopy()
		change(config)
		return write(name, config)
	}
	// login is a plugin that hands out the certificate of a site, as cloud providers' hand out tokens.
	login := func(site string) *clientcmdapi.AuthInfo {
		t.Helper()
		user := whole.AuthInfos[site]
		answer, err := json.Marshal(map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
			"status": map[string]any{"clientCertificateData": string(user.ClientCertificateData), "clientKeyData": string(user.ClientKeyData)},
		})
		b.must(err)
		said := filepath.Join(dir, "credential-"+site)
		b.must(os.WriteFile(said, answer, 0o600))
		return &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "cat", Args: []string{said}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
	}
	var forwarded atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded.Store(true)
		forward(w, r)
	}))
	t.Cleanup(proxy.Close)
	for name, c := range map[string]struct {
		file string
		says string // of west; empty where it answers
	}{
		"a login plugin": {changed("exec", func(c *clientcmdapi.Config) { c.AuthInfos["west"] = login("west") }), ""},
		"one login plugin for two contexts": {changed("shared", func(c *clientcmdapi.Config) {
			c.AuthInfos["shared"] = login("west")
			c.Contexts["west"].AuthInfo = "shared"
			c.Contexts["again"] = &clientcmdapi.Context{Cluster: "west", AuthInfo: "shared"}
		}), ""},
		"a token that has expired": {changed("token", func(c *clientcmdapi.Config) {
			c.AuthInfos["west"] = &clientcmdapi.AuthInfo{Token: "expired"}
		}), "the credentials were not accepted"},
		"a proxy": {changed("proxy", func(c *clientcmdapi.Config) { c.Clusters["west"].ProxyURL = proxy.URL }), ""},
		"a name in the certificate": {changed("name", func(c *clientcmdapi.Config) {
			c.Clusters["west"].TLSServerName = "localhost"
		}), ""},
		"a name that the certificate does not have": {changed("other-name", func(c *clientcmdapi.Config) {
			c.Clusters["west"].TLSServerName = "api.example.com"
		}), "api.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			one := *b.with(t)
			one.kubeconfig, one.home = c.file, t.TempDir()
			r := one.vgr("list", "-o", "json", "--peer-context", "west")
			var o struct {
				Sites []struct {
					Name, Message string
					Answered      bool
				}
			}
			if err := json.Unmarshal([]byte(r.out), &o); err != nil || len(o.Sites) != 2 || !o.Sites[0].Answered || o.Sites[1].Answered != (c.says == "") || !strings.Contains(o.Sites[1].Message, c.says) {
				t.Errorf("%v: %+v\n%s", err, o, r.errOut)
			}
		})
	}
	if !forwarded.Load() {
		t.Error("nothing went through the proxy")
	}
	t.Run("no certificate of this site", func(t *testing.T) {
		one := *b.with(t)
		one.kubeconfig = changed("certificate", func(c *clientcmdapi.Config) {
			c.AuthInfos["east"] = &clientcmdapi.AuthInfo{ClientCertificate: "/nonexistent/cert.pem", ClientKey: "/nonexistent/key.pem"}
		})
		one.home = t.TempDir()
		const cause = "unable to read client-cert /nonexistent/cert.pem"
		r := one.vgr("list", "-o", "json", "--peer-context", "west")
		var o struct {
			Sites []struct {
				Name, Problem, Message string
				Answered               bool
			}
		}
		if err := json.Unmarshal([]byte(r.out), &o); err != nil || r.code != 0 || len(o.Sites) != 2 || o.Sites[0].Answered || !strings.Contains(o.Sites[0].Message, cause) || !o.Sites[1].Answered {
			t.Errorf("exit code %d, %v: %+v\n%s", r.code, err, o, r.errOut)
		}
		if r := one.vgr("status", "--exit-code", "--peer-context", "west"); r.code != 6 || !strings.Contains(r.errOut, cause) {
			t.Errorf("status: exit code %d\n%s", r.code, r.errOut)
		}
		if r := b.with(t).vgr("list", "--user", "nobody"); r.code != 1 || !strings.Contains(r.errOut, `"nobody" does not exist`) {
			t.Errorf("a flag that fits nothing: exit code %d\n%s", r.code, r.errOut)
		}
	})
	t.Run("several files", func(t *testing.T) {
		one := *b.with(t)
		var files []string
		for _, site := range []string{"east", "west"} {
			part := clientcmdapi.NewConfig()
			part.Clusters[site], part.AuthInfos[site], part.Contexts[site] = whole.Clusters[site], whole.AuthInfos[site], whole.Contexts[site]
			files = append(files, write("only-"+site, part))
		}
		one.home, one.env = t.TempDir(), map[string]string{"KUBECONFIG": files[0] + string(filepath.ListSeparator) + files[1]}
		t.Setenv("KUBECONFIG", one.env["KUBECONFIG"]) // client-go reads it itself
		one.kubeconfig = ""
		one.areCalled("east west", "--context", "east", "--peer-context", "west")
	})
}

// forward is a proxy for TLS.
func forward(w http.ResponseWriter, r *http.Request) {
	target, err := net.Dial("tcp", (&url.URL{Host: r.Host}).Host) //nolint:noctx // it ends with the test
	if err != nil || r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = target.Close() }()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	from, _, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer func() { _ = from.Close() }()
	_, _ = fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(target, from); _ = target.Close() }()
	_, _ = io.Copy(from, target)
}
