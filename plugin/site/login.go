// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/stalltimeout"
)

// NotAsked is why a site could not be asked when that is no proof that it is lost.
type NotAsked struct {
	Why string
	// Unsent: the request never left this machine, so that a write was not done.
	Unsent bool
}

// Error implements error.
func (e *NotAsked) Error() string { return e.Why }

func notAsked(format string, args ...any) error { return &NotAsked{Why: fmt.Sprintf(format, args...)} }

func unsent(format string, args ...any) error {
	return &NotAsked{Why: fmt.Sprintf(format, args...), Unsent: true}
}

// afterFailure is how long a login plugin that failed is not started again: a command asks dozens of questions, and a
// plugin may open a browser for each.
const afterFailure = 15 * time.Second

// login bounds what client-go does before it sends a request: it runs the login plugin of the kubeconfig, without the
// request's context and for as long as that takes. One plugin runs at a time; who has no time left is told, and a
// plugin that waits for its user is left to end by itself: what it got is often kept for the next command.
type login struct {
	next http.RoundTripper
	now  func() time.Time
	turn chan struct{}
	// late is true while a plugin runs that a request has stopped waiting for.
	late atomic.Bool

	mu     sync.Mutex
	failed error
	at     time.Time
}

func newLogin(next http.RoundTripper, now func() time.Time) *login {
	return &login{next: next, now: now, turn: make(chan struct{}, 1)}
}

// passedKey is of the function in a request's context that is called once the login is over.
type passedKey struct{}

// RoundTrip implements http.RoundTripper.
func (l *login) RoundTrip(r *http.Request) (*http.Response, error) {
	began := l.now()
	select {
	case l.turn <- struct{}{}:
	case <-r.Context().Done():
		return nil, l.ended(r.Context(), began)
	}
	if err := l.lately(began); err != nil {
		<-l.turn
		return nil, err
	}
	var passed atomic.Bool
	over := sync.OnceFunc(func() { <-l.turn })
	ctx := context.WithValue(r.Context(), passedKey{}, func() {
		passed.Store(true)
		l.late.Store(false)
		over()
	})
	type answer struct {
		resp *http.Response
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := l.next.RoundTrip(r.WithContext(ctx)) //nolint:bodyclose // the caller closes it
		if err != nil && !passed.Load() {
			err = l.fails(err)
		}
		over()
		answered <- answer{resp, err}
	}()
	select {
	case a := <-answered:
		return a.resp, a.err
	case <-r.Context().Done():
	}
	go func() {
		if a := <-answered; a.err == nil {
			a.resp.Body.Close()
		}
	}()
	if passed.Load() {
		return nil, r.Context().Err()
	}
	return nil, l.ended(r.Context(), began)
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (l *login) WrappedRoundTripper() http.RoundTripper { return l.next }

// ended returns why a request is not waited for that was never sent.
func (l *login) ended(ctx context.Context, began time.Time) error {
	var late *stalltimeout.Late
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.As(context.Cause(ctx), &late) {
		return ctx.Err() // the caller has given up
	}
	l.late.Store(true)
	return unsent("its login plugin has not answered within %s", l.now().Sub(began).Round(time.Second))
}

// fails remembers that the plugin has failed.
func (l *login) fails(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late.Store(false)
	text := err.Error()
	if before, _, found := strings.Cut(text, noCredentials); found { // what follows is of the parser
		text = before + noCredentials + ": what the plugin printed is no ExecCredential"
	}
	l.failed, l.at = unsent("its login plugin: %s", shortened(text)), l.now()
	return l.failed
}

// noCredentials is how client-go's error of a plugin that prints something else begins.
const noCredentials = "decoding stdout"

// longest is how much of what a login plugin, or the kubeconfig's hint, says is repeated.
const longest = 400

// shortened is a text in one line, without what is too much of it.
func shortened(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// lately returns how the plugin failed while a request waited for its turn, or a short time ago.
func (l *login) lately(began time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && (!l.at.Before(began) || l.now().Sub(l.at) < afterFailure) {
		return l.failed
	}
	return nil
}

// passed marks that a request has got its credentials and is sent now.
func passed(ctx context.Context) {
	if mark, ok := ctx.Value(passedKey{}).(func()); ok {
		mark()
	}
}

// Login asks the site for its version if a login plugin is to be run before that: it may have something to ask, or to
// say, before a screen is drawn. The next request gets the result.
func (s *Site) Login(ctx context.Context) {
	if s.config.ExecProvider != nil {
		_, _ = s.Version(ctx)
	}
}

// LoggingIn reports whether requests have been given up because the login plugin has not answered.
func (s *Site) LoggingIn() bool {
	if over, err := s.transport(); err == nil {
		if l, ok := over.Transport.(*login); ok {
			return l.late.Load()
		}
	}
	return false
}
