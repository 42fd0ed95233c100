// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
)

// fault is what happens to one change on its way.
type fault string

const (
	drop     fault = "is dropped"
	lose     fault = "is done, and its answer is lost"
	refuse   fault = "is answered with an error"
	broken   fault = "is done, and answered with an error"
	conflict fault = "comes after a status was written"
	steal    fault = "comes after another tool has taken the Leases"
	crash    fault = "is the last one before an interruption"
	kill     fault = "is never sent: the process is killed"
	killed   fault = "is done when the process is killed"
	asleep   fault = "arrives when another process has taken over and finished"
)

// survives reports whether the same process is expected to bring the operation to its end.
func (f fault) survives() bool { return !slices.Contains([]fault{crash, kill, killed, asleep}, f) }

// schedule lets one change go wrong: the k-th that a command sends. It is for one command.
type schedule struct {
	k    int
	what fault
	// when picks a change by what it is, instead of by its number.
	when func(r *http.Request, body string) bool
	// meanwhile runs while the change is under way.
	meanwhile func()

	mu   sync.Mutex
	seen int
	hit  string
	dead bool
}

func (s *schedule) meet(r *http.Request, body string) (hit, dead bool) {
	if s == nil {
		return false, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || r.Method == http.MethodGet {
		return false, s.dead
	}
	s.seen++
	if s.hit != "" || s.when == nil && s.seen != s.k || s.when != nil && !s.when(r, body) {
		return false, false
	}
	s.hit = fmt.Sprintf("%s %s", r.Method, r.URL.Path)
	if strings.HasPrefix(body, "{") {
		s.hit += fmt.Sprintf(" %.120s", body)
	}
	s.dead = s.what == kill || s.what == killed
	return true, false
}

// line stands between a command and an API server.
type line struct {
	w       *world
	at      int
	s       *schedule
	c       *command
	server  *httptest.Server
	forward *httputil.ReverseProxy

	// refuses is the code that every change is answered with; 0 for none.
	refuses int

	// unleased is true where no Lease can be had.
	unleased bool

	mu sync.Mutex
	// held is true while the command knows that it holds the Lease here.
	held bool
}

func newLine(w *world, at int, s *schedule, c *command) *line {
	l := &line{w: w, at: at, s: s, c: c}
	target, err := url.Parse(w.admin[at].Host)
	must(w.t, err)
	l.forward = &httputil.ReverseProxy{
		Transport: w.reach[at], FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", w.clock.Now().UTC().Format(http.TimeFormat))
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l.server = httptest.NewUnstartedServer(l)
	l.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.server.Start()
	return l
}

func (l *line) close() {
	l.server.CloseClientConnections()
	l.server.Close()
}

// ServeHTTP implements http.Handler.
func (l *line) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method == "PRI" { // the API server of another test still looks for its etcd, which had this port before
		http.Error(rw, "this is not etcd", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodGet {
		if _, dead := l.s.meet(r, ""); dead {
			panic(http.ErrAbortHandler)
		}
		l.forward.ServeHTTP(rw, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if l.refuses != 0 {
		answer := l.refusal(l.refuses)
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
		return
	}
	l.check(r, string(body))
	hit, dead := l.s.meet(r, string(body))
	if dead {
		panic(http.ErrAbortHandler)
	}
	send := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		r.Body = io.NopCloser(bytes.NewReader(body))
		l.forward.ServeHTTP(answer, r)
		return answer
	}
	what := fault("")
	if hit {
		what = l.s.what
	}
	var answer *httptest.ResponseRecorder
	switch what {
	case drop, kill:
		if what == kill {
			l.c.cancel(nil)
		}
	case refuse:
		answer = l.refusal([]int{500, 503, 429, 504}[l.s.k%4])
	case broken:
		send()
		answer = l.refusal([]int{500, 503, 504}[l.s.k%3])
	case lose, killed:
		send()
		if what == killed {
			l.c.cancel(nil)
		}
	case conflict:
		l.touch()
		answer = send()
	case steal:
		l.steal()
		answer = send()
	case crash:
		l.c.cancel(nil)
		answer = send()
	case asleep:
		l.expire()
		l.s.meanwhile()
		answer = send()
	default:
		answer = send()
	}
	if strings.Contains(r.URL.Path, "/leases") && r.Method != http.MethodDelete {
		l.mu.Lock()
		l.held = answer != nil && answer.Code < 300
		l.mu.Unlock()
	}
	if answer == nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(rw.Header(), answer.Header())
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes()) // the client may have gone
}

// check looks at what is written: every change is bound to what was seen, and comes from a command that knows of no
// reason to think that its Lease is lost.
func (l *line) check(r *http.Request, body string) {
	lease := strings.Contains(r.URL.Path, "/leases")
	bound := isBound(body)
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
	case r.Method == http.MethodPost && lease:
	case !bound:
		l.w.t.Errorf("%s %s is not bound to what was seen", r.Method, r.URL.Path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !lease && !strings.HasSuffix(r.URL.Path, "/events") && !l.held && !l.unleased {
		l.w.t.Errorf("%s %s without a Lease", r.Method, r.URL.Path)
	}
}

// isBound reports whether a change names the version of the object that it is for.
func isBound(body string) bool {
	obj, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode([]byte(body), nil, nil)
	if err != nil { // a patch
		return strings.Contains(body, `"resourceVersion":"`)
	}
	switch x := obj.(type) {
	case *metav1.DeleteOptions:
		return x.Preconditions != nil && x.Preconditions.ResourceVersion != nil
	case metav1.Object:
		return x.GetResourceVersion() != ""
	default:
		return false
	}
}

func (l *line) refusal(code int) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Message: "broken by the test"} //nolint:gosec // a status fits
	answer.WriteHeader(code)
	_ = json.NewEncoder(answer).Encode(status)
	return answer
}

// touch writes a status, as a controller does that has looked.
func (l *line) touch() {
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: l.w.namespace, Name: group}}
	patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"add","path":"/status/message","value":"looked at meanwhile"}]`))
	if err := l.w.client[l.at].Status().Patch(l.w.t.Context(), g, patch); err != nil {
		l.w.t.Error(err)
	}
}

// steal gives the Leases on both sites to a tool that never renews them.
func (l *line) steal() {
	for _, c := range l.w.client {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.w.namespace, Name: operate.LeaseName(group)}}
		err := c.Get(l.w.t.Context(), client.ObjectKeyFromObject(lease), lease)
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = new("thief"), new(metav1.NewMicroTime(l.w.clock.Now()))
		lease.Spec.LeaseDurationSeconds = new(int32(2147483647))
		if err == nil {
			err = c.Update(l.w.t.Context(), lease)
		} else {
			err = c.Create(l.w.t.Context(), lease)
		}
		if ignoreConflict(err) != nil {
			l.w.t.Error(err)
		}
	}
}

// expire ends the Leases on both sites, as time does.
func (l *line) expire() {
	for _, c := range l.w.client {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.w.namespace, Name: operate.LeaseName(group)}}
		if err := c.Get(l.w.t.Context(), client.ObjectKeyFromObject(lease), lease); err != nil {
			continue
		}
		lease.Spec.RenewTime = new(metav1.NewMicroTime(l.w.clock.Now().Add(-time.Hour)))
		if err := ignoreConflict(c.Update(l.w.t.Context(), lease)); err != nil {
			l.w.t.Error(err)
		}
	}
}
