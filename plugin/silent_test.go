// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
)

// gate makes the context gate-NAME, and returns what has the server that answers there hang, and what stops it.
func (b *bench) gate(name string) (hang func(), stop func()) {
	b.t.Helper()
	config := must(clientcmd.LoadFromFile(b.kubeconfig))
	to := must(clientcmd.NewNonInteractiveClientConfig(*config, name, nil, nil).ClientConfig())
	target := must(url.Parse(to.Host))
	proxy := &httputil.ReverseProxy{Transport: must(rest.TransportFor(to)), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	var hangs atomic.Bool
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-over // that a client has left is not seen before its request was read
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	b.t.Cleanup(server.Close)
	b.t.Cleanup(func() { close(over) })
	addContext(config, "gate-"+name, &rest.Config{Host: server.URL})
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	return func() { hangs.Store(true) }, server.Close
}

// TestSourceIsSilent: the site of the primary is stopped. Whichever site the command was given first, the question is
// whether the other one can take over, and what that loses.
func TestSourceIsSilent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		state, said := vgrv1.Primary, vgrv1.StatePrimary
		if c == b.west {
			state, said = vgrv1.Secondary, vgrv1.StateSecondary
		}
		b.volume(c, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
		b.group(c, "orders", state, said, ready("Promoted"))
		b.led(c, "orders")
	}
	_, stop := b.gate("east")
	pairs := [][]string{{"--context", "gate-east", "--peer-context", "west"}, {"--context", "west", "--peer-context", "gate-east"}}
	run := func(pair []string, args ...string) result { return b.vgr(append(args, pair...)...) }
	for _, pair := range pairs {
		b.has(run(pair, "validate", "orders", "--to", "west"), 0, "default/orders from gate-east to west")
	}
	stop()
	printed := regexp.MustCompile(`If gate-east is lost: kubectl vgr (failover orders .* -n default --to west --unplanned --accept-data-loss unknown)`)
	for _, pair := range pairs {
		for _, args := range [][]string{{"validate", "orders"}, {"validate", "orders", "--to", "west"}, {"validate", "--from", "gate-east"}} {
			r := run(pair, args...)
			b.has(r, 4, "1 of 1 groups could fail over only with accepted data loss")
			for _, says := range []string{
				"default/orders from gate-east to west, unplanned: gate-east does not answer", "Can fail over to west only with accepted data loss: the time of the last synchronisation is not known",
			} {
				if !strings.Contains(r.out, says) {
					t.Errorf("%v %v does not say %q:\n%s", args, pair, says, r.out)
				}
			}
		}
		b.has(run(pair, "validate", "orders", "--to", "gate-east"), 4, "a planned failover would be refused for 1 of 1 groups")
		// What it printed begins.
		if found := printed.FindStringSubmatch(run(pair, "validate", "orders").out); found == nil {
			t.Error("no command is printed")
		} else {
			b.has(b.vgr(append(strings.Fields(found[1]), "--dry-run=client")...), 0, "unplanned failover from gate-east to west")
		}
		b.has(run(pair, "failover", "orders", "--dry-run=client"), 6, "gate-east does not answer", "if gate-east is lost: kubectl vgr failover orders ")

		var v struct {
			Groups []struct {
				From, To  string
				Unplanned *struct{ Loss, Command string }
			}
		}
		r := run(pair, "validate", "orders", "-o", "json")
		if err := json.Unmarshal([]byte(r.out), &v); err != nil || len(v.Groups) != 1 || v.Groups[0].From != "gate-east" || v.Groups[0].Unplanned == nil || v.Groups[0].Unplanned.Command == "" {
			t.Errorf("as JSON: %v\n%s", err, r.out)
		}
		var made report.Report
		text := run(pair, "report", "-o", "json").out
		if err := json.Unmarshal([]byte(text), &made); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if got := made.Groups[0].Readiness; got.Words() != "only with data loss, to west" || got.Answer != report.No || got.Unplanned.Loss == "" {
			t.Errorf("the report answers %+v", got)
		}
		for _, format := range []string{"html", "markdown"} {
			if page := run(pair, "report", "-o", format).out; !strings.Contains(page, "only with data loss, to west") || !strings.Contains(page, "an unplanned failover would lose data: the time of the last synchronisation is not known") {
				t.Errorf("%s does not say what is left:\n%s", format, page)
			}
		}
	}
}

// TestWaiting: a site that accepts a request and never answers is named while it is waited for: once where nothing can be
// taken away again, and on a terminal until it was given up.
func TestWaiting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	hang, _ := b.gate("east")
	hang()
	b.patience = time.Millisecond
	const says = "waiting for gate-east (up to 1s)…"
	for _, args := range [][]string{{"list"}, {"status", "orders"}, {"validate", "orders"}, {"history", "orders"}, {"report"}, {"version"}} {
		r := b.vgr(append(args, "--context", "west", "--peer-context", "gate-east", "--request-timeout", "1s")...)
		if strings.Count(r.errOut, says+"\n") != 1 || strings.Contains(r.out, "waiting for") {
			t.Errorf("%v: exit code %d\n%s%s", args, r.code, r.out, r.errOut)
		}
	}
	if r := b.vgr("__complete", "status", "--context", "gate-east", "--peer-context", "west", "--request-timeout", "1s", ""); strings.Contains(r.out+r.errOut, "waiting for") {
		t.Errorf("in the middle of what the user types: %s%s", r.out, r.errOut)
	}
	b.patience = 0
	if r := b.vgr("list", "--context", "west", "--peer-context", "gate-east", "--request-timeout", "1s"); strings.Contains(r.errOut, "waiting for") {
		t.Errorf("although it never is to be said: %s", r.errOut)
	}
}
