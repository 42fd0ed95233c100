// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
)

// trouble lets requests to both sites go wrong, those from outside or those of our controllers.
func (s *scene) trouble(process string, f httpfault.Fault) {
	s.t.Helper()
	for _, site := range []string{lab.East, lab.West} {
		s.must(s.lab.Inject(s.t.Context(), lab.Fault{Kind: lab.FaultHTTP, Site: site, HTTP: &f, Process: process}))
	}
}

// troubled checks that the present trouble was some.
func (s *scene) troubled() {
	s.t.Helper()
	for _, site := range s.lab.Sites() {
		if site.HTTPHits("") == 0 {
			s.t.Errorf("no request to %s went wrong", site.Name)
		}
	}
}

// seen is what the plugin says of the scene's groups, in JSON.
func (s *scene) seen(args ...string) overview.Overview {
	s.t.Helper()
	var o overview.Overview
	s.must(json.Unmarshal([]byte(s.done(append(args, "-n", s.ns, "-o", "json")...)), &o))
	return o
}

// TestTrouble: each third request to the API servers is answered with an error, those of our
// controllers too. Everything continues, only slower.
func TestTrouble(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
	kinds := []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
	for _, code := range kinds {
		s.trouble("", httpfault.Fault{Codes: []int{code}, Every: 3})
		for _, command := range []string{"list", "status"} {
			o := s.seen(command)
			for i, state := range []vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary} {
				if !o.Sites[i].Answered || o.Groups[0].Sites[i].State != state {
					t.Errorf("%s with %d: %+v %+v", command, code, o.Sites[i], o.Groups[0].Sites[i])
				}
			}
		}
		s.troubled()
	}
	all := httpfault.Fault{Codes: kinds, Every: 3}
	s.trouble("", all)
	s.trouble(lab.Controller, all)
	w := s.watch()
	w.shows("Primary", "Secondary")
	labels := map[string]string{"app": "late"}
	s.claims(lab.East, labels, "late-data") // with its group, work for the controller
	s.create(lab.East, s.group("late", gold, vgrv1.Primary, labels))
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	w.shows("Secondary", "Primary")
	w.ends()
	s.ready(lab.East, "late", vgrv1.StatePrimary, 1)
	s.ready(lab.West, "db", vgrv1.StatePrimary, 1)
	s.troubled()
	s.whole(lab.West, lab.East)
}

// TestControllerUnanswered: a request of the controller that is never answered does not keep its group for ever.
func TestControllerUnanswered(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	path := "/apis/replication.storage.openshift.io/v1alpha1/namespaces/" + s.ns
	s.trouble(lab.Controller, httpfault.Fault{Method: http.MethodPost, Path: path, Every: 2})
	for _, name := range []string{"first", "second"} {
		labels := map[string]string{"app": name}
		s.claims(lab.East, labels, name+"-data")
		s.create(lab.East, s.group(name, gold, vgrv1.Primary, labels))
	}
	for _, name := range []string{"first", "second"} {
		s.ready(lab.East, name, vgrv1.StatePrimary, 1)
	}
	if s.lab.Site(lab.East).HTTPHits(lab.Controller) == 0 {
		t.Error("every request was answered")
	}
}

// TestTroubleOnScreen: the screen shows both sites in spite of errors, and none as live that has
// nothing else to say.
func TestTroubleOnScreen(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	term := s.terminal(120, 30)
	s.pair("orders")
	s.trouble("", httpfault.Fault{Codes: []int{http.StatusInternalServerError}, Every: 3})
	term.keys(filepath.Join(s.bin, "kubectl-vgr")+" tui -n "+s.ns, "Enter")
	term.shows("1 group", "orders", "Protected")
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultHTTP, Site: lab.West, HTTP: &httpfault.Fault{Codes: []int{http.StatusServiceUnavailable}}}))
	term.shows("STALE west: no answer for", "Unreachable")
	s.must(s.lab.ClearFaults(t.Context()))
	term.shows("Protected")
	term.keys("q")
}

// TestTroubleStays: a site that has only errors to say is shown as such, beside one that answers, and
// nothing is begun.
func TestTroubleStays(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	for name, codes := range map[string][]int{"429": {http.StatusTooManyRequests}, "500": {http.StatusInternalServerError}, "silence": nil} {
		t.Run(name, func(t *testing.T) {
			s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultHTTP, Site: lab.West, HTTP: &httpfault.Fault{Codes: codes}}))
			// What is bounded less than usual is only told sooner.
			args := func(command ...string) []string { return append(command, "-n", s.ns, "--request-timeout", "5s") }
			r := s.vgr(args("list")...)
			if r.code != 0 || !strings.Contains(r.out, "Unreachable") || strings.Contains(r.out, "Secondary") || !strings.Contains(r.errOut, "west") {
				t.Errorf("list: exit code %d\n%s%s", r.code, r.out, r.errOut)
			}
			if r := s.vgr(args("status", "--exit-code")...); r.code != 6 {
				t.Errorf("status: exit code %d\n%s%s", r.code, r.out, r.errOut)
			}
			if r := s.vgr(args("failover", "db", "--to", "west", "--yes")...); r.code != 6 || !strings.Contains(r.errOut, "nothing was changed") {
				t.Errorf("failover: exit code %d\n%s%s", r.code, r.out, r.errOut)
			}
		})
	}
}

// TestAnswersLost: changes are made, and the client that asked for them is told of an error; for a while
// there are only errors. What was done is seen and not done again, and the rest waits.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
	lost := httpfault.Fault{Codes: []int{http.StatusGatewayTimeout}, Method: http.MethodPatch, Late: true}
	s.trouble("", lost)
	second := lost
	second.Every = 2
	s.trouble(lab.Controller, second)
	failover := s.begin("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	failover.until("4/6 sync")
	s.troubled()
	s.trouble("", httpfault.Fault{Codes: []int{http.StatusInternalServerError}})
	failover.until("could not be queried")
	s.trouble("", lost)
	if r := failover.end(); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	s.troubled()
	s.must(s.lab.ClearFaults(t.Context()))
	s.whole(lab.West, lab.East)
	if ops := s.history("db"); len(ops) != 1 || ops[0].Result != recovery.Done {
		t.Errorf("history %+v", ops)
	}
}

// TestFar: both sites are far away, on a bad line.
func TestFar(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
	for _, site := range s.lab.Sites() {
		s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultSlow, Site: site.Name, RTT: 300 * time.Millisecond, Loss: 0.01}))
	}
	for i, site := range s.seen("list").Sites {
		if !site.Answered {
			t.Errorf("site %d: %+v", i, site)
		}
	}
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	s.whole(lab.West, lab.East)
}

// serverRestarts takes east's API server away while groups are watched and made, and gives it back.
func serverRestarts(t *testing.T, w *world) {
	t.Helper()
	s := newSceneIn(t, w)
	s.pair("db")
	labels := map[string]string{"app": "late"}
	s.claims(lab.East, labels, "late-data")
	seen := s.watch()
	seen.shows("Primary", "Secondary")
	s.must(s.lab.Site(lab.East).Kill(t.Context(), lab.APIServer))
	seen.shows(`Primary \S+ ago`, "Secondary")
	soon := "--request-timeout=5s" // so that csi-addons, which waits twice as long each time, is soon back
	if r := s.vgr("list", "-n", s.ns, soon); r.code != 0 || !strings.Contains(r.out, "Unreachable") || strings.Contains(r.out, "Primary  ") {
		t.Errorf("list: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	if r := s.vgr("status", "-n", s.ns, "--exit-code", "-o", "json", soon); r.code != 6 {
		t.Errorf("status: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	if r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes", soon); r.code != 6 || !strings.Contains(r.errOut, "nothing was changed") {
		t.Errorf("failover: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.must(s.lab.Site(lab.East).StartProc(lab.APIServer))
	s.eventually("the group to be accepted", func(ctx context.Context) error {
		return s.sites[lab.East].Create(ctx, s.group("late", gold, vgrv1.Primary, labels))
	})
	seen.shows("Primary", "Secondary")
	seen.ends()
	s.ready(lab.East, "late", vgrv1.StatePrimary, 1)
}
