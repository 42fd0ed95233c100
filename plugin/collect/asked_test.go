// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// sites connects to east, which is well, and to west as a kubeconfig says: the cluster and the user of it, as JSON.
func sites(t *testing.T, timeout, cluster, user string) []*site.Site {
	t.Helper()
	well := httptest.NewServer(&troubled{})
	t.Cleanup(well.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: east, clusters: [{name: east, cluster: {server: %q}}, {name: west, cluster: %s}],
users: [{name: west, user: %s}], contexts: [{name: east, context: {cluster: east}}, {name: west, context: {cluster: west, user: west}}]}`, well.URL, cluster, user)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Timeout = &file, &timeout
	c := &site.Connector{Flags: flags, PeerContext: "west", Env: func(string) string { return "" }, Clock: clock.RealClock{}}
	here, err := c.Here()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := c.Peer(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	return []*site.Site{here, peer}
}

// plugin writes a login plugin. It counts its starts in a file beside it.
func plugin(t *testing.T, script string) (user string, starts func() int) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "login")
	if err := os.WriteFile(file, fmt.Appendf(nil, "#!/bin/sh\necho started >>%s/starts\n%s\n", dir, script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return fmt.Sprintf(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, interactiveMode: Never}}`, file), func() int {
		data, _ := os.ReadFile(filepath.Join(dir, "starts"))
		return bytes.Count(data, []byte("\n"))
	}
}

// encrypted is a cluster that credentials are sent to.
func encrypted(t *testing.T) string {
	t.Helper()
	secure := httptest.NewUnstartedServer(&troubled{})
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return fmt.Sprintf(`{server: %q, insecure-skip-tls-verify: true}`, secure.URL)
}

// TestNotAsked: who could not be asked for a reason on this machine or on the way is not lost, and the reason is told.
func TestNotAsked(t *testing.T) {
	answer := func(code int, kind, body string) string {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(web.Close)
		return fmt.Sprintf(`{server: %q}`, web.URL)
	}
	status := func(code int, reason metav1.StatusReason, message string) string {
		data, _ := json.Marshal(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reason, Message: message, Code: int32(code)}) //nolint:gosec // an HTTP code
		return answer(code, "application/json", string(data))
	}
	secure := httptest.NewTLSServer(&troubled{})
	t.Cleanup(secure.Close)
	well := encrypted(t)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(refusing.Close)
	fails, _ := plugin(t, "echo session expired >&2; exit 3")
	babbles, _ := plugin(t, "echo hello")
	another, _ := plugin(t, `echo '{"apiVersion":"client.authentication.k8s.io/v1alpha1","kind":"ExecCredential","status":{"token":"x"}}'`)
	nothing, _ := plugin(t, `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}'`)
	killed, _ := plugin(t, "kill -9 $$")
	redirecting := httptest.NewServer(http.RedirectHandler("/login", http.StatusFound))
	t.Cleanup(redirecting.Close)
	mutual := httptest.NewUnstartedServer(&troubled{})
	mutual.Config.ErrorLog, mutual.TLS = log.New(io.Discard, "", 0), &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	mutual.StartTLS()
	t.Cleanup(mutual.Close)
	away := httptest.NewServer(http.RedirectHandler("https://login.invalid/", http.StatusFound))
	t.Cleanup(away.Close)
	demanding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(demanding.Close)
	for name, tc := range map[string]struct{ cluster, user, says string }{
		"a plugin of another version":    {well, another, "its login plugin"},
		"a plugin without credentials":   {well, nothing, "its login plugin"},
		"a plugin that is killed":        {well, killed, "its login plugin"},
		"a plugin that is a directory":   {well, `{exec: {apiVersion: client.authentication.k8s.io/v1, command: /tmp, interactiveMode: Never}}`, "its login plugin"},
		"a plugin that needs a terminal": {well, `{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true, interactiveMode: Always}}`, "its login plugin"},
		"a token file that is missing":   {well, `{tokenFile: /nonexistent}`, "/nonexistent"},
		"a certificate that is missing":  {well, `{client-certificate: /nonexistent, client-key: /nonexistent}`, "/nonexistent"},
		"a certificate that is none":     {well, `{client-certificate-data: "bm9uZQ==", client-key-data: "bm9uZQ=="}`, "kubeconfig"},
		"a certificate that is wanted":   {fmt.Sprintf(`{server: %q, insecure-skip-tls-verify: true}`, mutual.URL), "{}", "tls: certificate required"},
		"a page elsewhere":               {fmt.Sprintf(`{server: %q}`, redirecting.URL), "{}", "web page"},
		"a proxy that asks for a login":  {fmt.Sprintf(`{server: "https://api.invalid", proxy-url: %q}`, demanding.URL), "{}", "by way of the proxy"},
		"a page on another host":         {fmt.Sprintf(`{server: %q}`, away.URL), "{}", "the answer is a redirect to login.invalid: a login page or a proxy is in between"},
		"a gateway without a route":      {answer(http.StatusNotFound, "application/json", `{"message":"no Route matched"}`), "{}", `HTTP 404, and not of an API server: a gateway or a proxy is in between: {"message":"no Route matched"}`},
		"a gateway without a word":       {answer(http.StatusNotFound, "text/plain", ""), "{}", "HTTP 404, and not of an API server: a gateway or a proxy is in between: Not Found"},
		"a gateway that refuses":         {answer(http.StatusForbidden, "application/json", `{"type":"error","status":"403","message":"clusters is forbidden"}`), "{}", "HTTP 403, and not of an API server"},
		"a firewall":                     {answer(http.StatusForbidden, "text/plain", "blocked by policy"), "{}", "a gateway or a proxy is in between: blocked by policy"},
		"a gateway without its cluster":  {answer(http.StatusBadGateway, "application/json", `{"message":"upstream connect error"}`), "{}", "HTTP 502, and not of an API server: a gateway or a proxy is in between"},
		"a plain text":                   {answer(http.StatusOK, "text/plain", "welcome to the hotel"), "{}", "the answer is no list of volumegroupreplications"},
		"a plugin that fails":            {well, fails, "its login plugin: getting credentials: exec: executable"},
		"a plugin that is missing":       {well, `{exec: {apiVersion: client.authentication.k8s.io/v1, command: not-installed, interactiveMode: Never}}`, "executable not-installed not found"},
		"a plugin that babbles":          {well, babbles, "its login plugin: getting credentials: decoding stdout: what the plugin printed is no ExecCredential"},
		"an unknown CA":                  {fmt.Sprintf(`{server: %q}`, secure.URL), "{}", "certificate signed by unknown authority"},
		"a CA that is none":              {fmt.Sprintf(`{server: %q, certificate-authority-data: "bm9uZQ=="}`, secure.URL), "{}", "kubeconfig: unable to load root certificates"},
		"a CA that is missing":           {fmt.Sprintf(`{server: %q, certificate-authority: "/nonexistent"}`, secure.URL), "{}", "its part of the kubeconfig cannot be used"},
		"no TLS":                         {strings.Replace(answer(http.StatusOK, "application/json", "{}"), "http:", "https:", 1), "{}", "server gave HTTP response to HTTPS client"},
		"a name that is not resolved":    {`{server: "https://api.invalid"}`, "{}", "lookup api.invalid"},
		"a page":                         {answer(http.StatusOK, "text/html; charset=utf-8", "<html>"), "{}", "a web page answers (HTTP 200)"},
		"a page that refuses":            {answer(http.StatusForbidden, "text/html", "<html>"), "{}", "a web page answers (HTTP 403)"},
		"credentials":                    {status(401, metav1.StatusReasonUnauthorized, "Unauthorized"), "{}", "the credentials were not accepted"},
		"trouble":                        {status(503, metav1.StatusReasonServiceUnavailable, "etcd is away"), "{}", "etcd is away"},
		"too many requests":              {status(429, metav1.StatusReasonTooManyRequests, "not now"), "{}", "not now"},
		"another kind":                   {answer(http.StatusOK, "application/json", `{"kind":"PodList","apiVersion":"v1","items":[]}`), "{}", `but of kind "PodList" of "v1"`},
		"no kind":                        {answer(http.StatusOK, "application/json", `{}`), "{}", `of kind ""`},
		"no JSON":                        {answer(http.StatusOK, "application/json", `hello`), "{}", "the answer is no list of volumegroupreplications"},
		"a proxy that is away":           {`{server: "https://api.invalid", proxy-url: "http://127.0.0.1:1"}`, "{}", "by way of the proxy 127.0.0.1:1: proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused"},
		"a proxy that refuses":           {fmt.Sprintf(`{server: "https://api.invalid", proxy-url: %q}`, refusing.URL), "{}", "by way of the proxy " + strings.TrimPrefix(refusing.URL, "http://") + ": Bad Gateway"},
		"a SOCKS proxy that is away":     {`{server: "https://api.invalid", proxy-url: "socks5://127.0.0.1:1"}`, "{}", "by way of the proxy 127.0.0.1:1: proxyconnect"},
	} {
		t.Run(name, func(t *testing.T) {
			in := collect.Sites(t.Context(), sites(t, "3s", tc.cluster, tc.user), collect.Query{})
			if !in[0].Answered {
				t.Errorf("east: %s: %s", in[0].Problem, in[0].Message)
			}
			if in[1].Problem != overview.SiteNotAsked || !strings.Contains(in[1].Message, tc.says) {
				t.Errorf("west: %s: %s; want %q", in[1].Problem, in[1].Message, tc.says)
			}
		})
	}
}

// TestLoginBabbles: what a login plugin and the kubeconfig say of it fills no screen.
func TestLoginBabbles(t *testing.T) {
	long := strings.Repeat("install me ", 10000)
	babbles, _ := plugin(t, "yes open https://sso.example.com | head -c 200000; exit 0")
	for name, user := range map[string]string{
		"hint":   fmt.Sprintf(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: not-installed, interactiveMode: Never, installHint: %q}}`, long),
		"name":   fmt.Sprintf(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, interactiveMode: Never}}`, "/"+long),
		"output": babbles,
	} {
		in := collect.Sites(t.Context(), sites(t, "5s", encrypted(t), user), collect.Query{})
		if m := in[1].Message; in[1].Problem != overview.SiteNotAsked || len(m) > 600 || !strings.HasPrefix(m, "its login plugin: ") {
			t.Errorf("%s: %s: %d bytes: %.200s", name, in[1].Problem, len(m), m)
		}
	}
}

// TestBroken: what the network does to a site on the way to it makes it unreachable.
func TestBroken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0) // a reset
			c.Close()
		}
	}()
	for name, server := range map[string]string{"reset": "http://" + listener.Addr().String(), "refused": "http://127.0.0.1:1"} {
		in := collect.Sites(t.Context(), sites(t, "3s", fmt.Sprintf(`{server: %q}`, server), "{}"), collect.Query{})
		if in[1].Problem != overview.SiteUnreachable {
			t.Errorf("%s: %+v", name, in[1].Site)
		}
	}
}

// TestLoginWaits: a login plugin that waits delays a command by no more than a request may take, is started once, and an
// interruption ends the wait at once.
func TestLoginWaits(t *testing.T) {
	user, starts := plugin(t, "exec sleep 8")
	both := sites(t, "1s", encrypted(t), user)
	for range 2 {
		in := collect.Sites(t.Context(), both, collect.Query{})
		if !in[0].Answered || in[1].Problem != overview.SiteNotAsked || in[1].Message != "its login plugin has not answered within 1s" {
			t.Errorf("%+v, %+v", in[0].Site, in[1].Site)
		}
	}
	w, err := both[1].WatchClient()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Watch(t.Context(), &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}})
	if problem, message := collect.Explain(both[1], err); problem != overview.SiteNotAsked {
		t.Errorf("a watch: %s: %s", problem, message)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if in := collect.Sites(ctx, both, collect.Query{}); strings.Contains(in[1].Message, "within 1s") {
		t.Errorf("the interruption was not heeded: %+v", in[1].Site)
	}
	if n := starts(); n != 1 {
		t.Errorf("the plugin was started %d times", n)
	}
}

// TestLoginFails: dozens of questions start a plugin that fails once.
func TestLoginFails(t *testing.T) {
	user, starts := plugin(t, "sleep 0.2; exit 1")
	both := sites(t, "5s", encrypted(t), user)
	for range 3 {
		if in := collect.Sites(t.Context(), both, collect.Query{}); in[1].Problem != overview.SiteNotAsked {
			t.Errorf("%+v", in[1].Site)
		}
	}
	if n := starts(); n != 1 {
		t.Errorf("the plugin was started %d times", n)
	}
}

// TestLoggedIn: who has got credentials is asked at the same time, and as long as that takes.
func TestLoggedIn(t *testing.T) {
	user, starts := plugin(t, `sleep 0.3; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"x"}}'`)
	both := sites(t, "5s", encrypted(t), user)
	if in := collect.Sites(t.Context(), both, collect.Query{}); !in[1].Answered || starts() != 1 {
		t.Errorf("%+v, %d starts", in[1].Site, starts())
	}
}

// TestEndless: an answer without an end ends, and does not take the memory with it.
func TestEndless(t *testing.T) {
	page := bytes.Repeat([]byte(" "), 1<<20)
	var compressed bytes.Buffer // once: such pages one after the other are one answer
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write(page); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := w.Write(page); err != nil {
					return
				}
			}
		},
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			for range 2 * site.MaxAnswer >> 20 {
				if _, err := w.Write(compressed.Bytes()); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(server)
			defer web.Close()
			in := collect.Sites(t.Context(), sites(t, "10m", fmt.Sprintf(`{server: %q}`, web.URL), "{}"), collect.Query{})
			if in[1].Problem != overview.SiteNotAsked || in[1].Message != "its answer is larger than 128 MiB" {
				t.Errorf("%+v", in[1].Site)
			}
		})
	}
}
