// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// troubled is a server that lists one group, and answers watches with errors.
type troubled struct{ watches atomic.Int32 }

func (s *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Query().Get("watch") != "":
		s.watches.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Message: "no watch today", Code: 500,
		})
	case filepath.Base(r.URL.Path) == "volumegroupreplications":
		list := vgrv1.VolumeGroupReplicationList{TypeMeta: metav1.TypeMeta{Kind: "VolumeGroupReplicationList", APIVersion: vgrv1.GroupVersion.String()}}
		list.ResourceVersion = "5"
		list.Items = append(list.Items, vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "db", ResourceVersion: "5"}})
		_ = json.NewEncoder(w).Encode(list)
	default:
		_ = json.NewEncoder(w).Encode(vgrv1.VolumeGroupReplicationClassList{TypeMeta: metav1.TypeMeta{Kind: "VolumeGroupReplicationClassList", APIVersion: vgrv1.GroupVersion.String()}})
	}
}

func connect(t *testing.T, address string) *site.Site {
	t.Helper()
	return patiently(t, address, "0")
}

// patiently connects with a --request-timeout.
func patiently(t *testing.T, address, timeout string) *site.Site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: east, clusters: [{name: east, cluster: {server: %q}}], contexts: [{name: east, context: {cluster: east}}]}`, address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Timeout = &file, &timeout
	s, err := (&site.Connector{Flags: flags, Env: func(string) string { return "" }, Clock: clock.RealClock{}}).Here()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWatchFails: what was listed is not shown as live, and not as what was last said either, when it
// cannot be watched.
func TestWatchFails(t *testing.T) {
	server := &troubled{}
	web := httptest.NewServer(server)
	defer web.Close()
	s := connect(t, web.URL)
	f, stop := collect.Follow(t.Context(), []*site.Site{s}, collect.Query{}, clock.RealClock{}, []overview.SiteInput{collect.Asking(s)})
	defer stop()
	in := f.Inputs()[0]
	for in.Problem != overview.SiteNotAsked {
		if in.Answered && len(in.Groups) != 1 {
			t.Fatalf("listed %+v", in)
		}
		<-f.Changed()
		in = f.Inputs()[0]
	}
	if in.Answered || in.Message != "no watch today" || len(in.Groups) != 0 {
		t.Errorf("%+v", in)
	}
	if n := server.watches.Load(); n < 4 {
		t.Errorf("the watch was given up after %d attempts", n)
	}
}

// hasty is a server that ends every watch at once.
type hasty struct{ lists, watches atomic.Int32 }

func (s *hasty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Query().Get("watch") != "":
		s.watches.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		return
	case filepath.Base(r.URL.Path) == "volumegroupreplications":
		s.lists.Add(1)
	}
	(&troubled{}).ServeHTTP(w, r)
}

// TestWatchEndsAtOnce: a site whose watches end at once is listed again after a pause.
func TestWatchEndsAtOnce(t *testing.T) {
	server := &hasty{}
	web := httptest.NewServer(server)
	defer web.Close()
	_, stop := collect.Follow(t.Context(), []*site.Site{connect(t, web.URL)}, collect.Query{}, clock.RealClock{}, nil)
	defer stop()
	clock.RealClock{}.Sleep(2500 * time.Millisecond)
	if lists, watches := server.lists.Load(), server.watches.Load(); lists != 2 || watches != 2 {
		t.Errorf("in 2.5 s it was listed %d times and watched %d times, want twice", lists, watches)
	}
}

// TestSilence: who does not answer is told of with the time that he had.
func TestSilence(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // a return would be an answer
	}))
	defer silent.Close()
	s := patiently(t, silent.URL, "60ms")
	_, err := s.Version(t.Context())
	for err, want := range map[error]string{
		err:                      "no answer within 60ms",
		context.DeadlineExceeded: "no answer within 60ms",
		&url.Error{Err: &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}}: "no connection within 60ms",
		&url.Error{Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}:     "read: connection reset by peer",
		&url.Error{Err: io.EOF}: "EOF",
		&url.Error{Err: &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}}: "dial: no route to host",
		&url.Error{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}: "dial: connection refused",
	} {
		if problem, message := collect.Explain(s, err); problem != overview.SiteUnreachable || message != want {
			t.Errorf("%v: %s, %q, want %q", err, problem, message, want)
		}
	}
	if got := connect(t, silent.URL).Timeout(); got != 10*time.Second {
		t.Errorf("without --request-timeout: %s", got)
	}
}

// halting is a server that lists two groups on two pages, tells when it is asked for the second one, and answers that
// when it is let.
type halting struct{ asked, let chan struct{} }

func newHalting() *halting {
	return &halting{asked: make(chan struct{}, 1), let: make(chan struct{})}
}

func (s *halting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if filepath.Base(r.URL.Path) != "volumegroupreplications" {
		(&troubled{}).ServeHTTP(w, r)
		return
	}
	list := vgrv1.VolumeGroupReplicationList{TypeMeta: metav1.TypeMeta{Kind: "VolumeGroupReplicationList", APIVersion: vgrv1.GroupVersion.String()}}
	name := "first"
	switch query := r.URL.Query(); {
	case query.Get("watch") != "":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	case query.Get("continue") != "":
		name = "second"
		select {
		case s.asked <- struct{}{}:
		default: // no goroutine waits for it
		}
		select {
		case <-s.let:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // a return would be an answer
		}
	default:
		list.Continue = "more"
	}
	list.ResourceVersion = "5"
	list.Items = append(list.Items, vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, ResourceVersion: "5"}})
	_ = json.NewEncoder(w).Encode(list)
}

// TestEarlyOutage: a site that was lost stays so until it has told of all its groups again.
func TestEarlyOutage(t *testing.T) {
	server := newHalting()
	web := httptest.NewServer(server)
	defer web.Close()
	known := overview.SiteInput{Site: overview.Site{Name: "east", Problem: overview.SiteUnreachable, Message: "connection refused"}}
	ctx, cancel := context.WithCancel(t.Context())
	f, stop := collect.Follow(ctx, []*site.Site{connect(t, web.URL)}, collect.Query{Early: true}, clock.RealClock{}, []overview.SiteInput{known})
	defer stop()
	defer cancel()
	<-server.asked // the first page was read
	if in := f.Inputs()[0]; in.Problem != overview.SiteUnreachable || in.Message != known.Message || len(in.Groups) > 0 {
		t.Errorf("after the first page: %+v", in)
	}
	server.let <- struct{}{}
	for in := f.Inputs()[0]; !in.Answered; in = f.Inputs()[0] {
		<-f.Changed()
	}
}

// TestEarly: a screen may open over the first groups; the site has not answered before it has told of all.
func TestEarly(t *testing.T) {
	server := newHalting()
	web := httptest.NewServer(server)
	defer web.Close()
	s := connect(t, web.URL)
	for _, early := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		f, stop := collect.Follow(ctx, []*site.Site{s}, collect.Query{Early: early}, clock.RealClock{}, nil)
		if early {
			in := f.First(ctx, time.Hour)[0]
			if in.Answered || in.Problem != overview.SiteAsking || len(in.Groups) != 1 || in.ServerTime == nil || in.Message != "is being asked; 1 so far" {
				t.Errorf("early: %+v", in)
			}
		}
		server.let <- struct{}{} // the second page is asked for
		in := f.Inputs()[0]
		for !in.Answered {
			if !early && len(in.Groups) > 0 {
				t.Fatalf("told before it has told all: %+v", in)
			}
			<-f.Changed()
			in = f.Inputs()[0]
		}
		if len(in.Groups) != 2 || in.Problem != "" {
			t.Errorf("early %v: %+v", early, in)
		}
		cancel()
		stop()
	}
}
