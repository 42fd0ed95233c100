// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
)

// gate makes the context gate-NAME, and returns what stops the server that answers there.
func (b *bench) gate(name string) (stop func()) {
	b.t.Helper()
	config := must(clientcmd.LoadFromFile(b.kubeconfig))
	to := must(clientcmd.NewNonInteractiveClientConfig(*config, name, nil, nil).ClientConfig())
	over, target := must(rest.TransportFor(to)), must(url.Parse(to.Host))
	server := httptest.NewServer(&httputil.ReverseProxy{Transport: over, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	b.t.Cleanup(server.Close)
	addContext(config, "gate-"+name, &rest.Config{Host: server.URL})
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	return server.Close
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
	stop := b.gate("east")
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
