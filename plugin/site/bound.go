// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// bind has the site asked for nothing while its cluster is another one than that which was found before; other says so.
func (s *Site) bind(uid string, other error) {
	if s.boundTo != "" {
		return
	}
	s.boundTo = uid
	host := s.config
	s.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &bound{next: next, host: host, uid: uid, other: other}
	})
}

// bound looks which cluster answers before the first request.
type bound struct {
	next http.RoundTripper
	host *rest.Config
	uid  string
	// other is the error when it is another one.
	other error

	mu   sync.Mutex
	seen bool
	// under is the look that is under way; nil without one.
	under *look
}

// look is one question, and what came of it once done is closed.
type look struct {
	done chan struct{}
	err  error
}

// RoundTrip implements http.RoundTripper.
func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.same(r); err != nil {
		return nil, err
	}
	return b.next.RoundTrip(r)
}

// same is an error unless the cluster is the same. Requests that come together ask once, so that a dead site is not
// waited for as often.
func (b *bound) same(r *http.Request) error {
	for {
		b.mu.Lock()
		if b.seen {
			b.mu.Unlock()
			return nil
		}
		l := b.under
		if l == nil {
			l = &look{done: make(chan struct{})}
			b.under = l
			b.mu.Unlock()
			seen, err := b.ask(r)
			b.mu.Lock()
			l.err, b.seen, b.under = err, seen, nil
			b.mu.Unlock()
			close(l.done)
			return err
		}
		b.mu.Unlock()
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-l.done:
		}
		if l.err != nil && !errors.Is(l.err, context.Canceled) && !errors.Is(l.err, context.DeadlineExceeded) { // else it was that request's end
			return l.err
		}
	}
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (b *bound) WrappedRoundTripper() http.RoundTripper { return b.next }

// ask asks with the credentials of the request that waits for it.
func (b *bound) ask(r *http.Request) (seen bool, err error) {
	address, err := url.Parse(b.host.Host)
	if err != nil {
		return false, err
	}
	question := r.Clone(r.Context())
	question.Method, question.Body, question.ContentLength = http.MethodGet, nil, 0
	question.Header.Del("Content-Type")
	question.Header.Set("Accept", "application/json")
	question.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: strings.TrimSuffix(address.Path, "/") + "/api/v1/namespaces/kube-system"}
	answer, err := b.next.RoundTrip(question)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK { // it does not say, and may answer the request itself
		return answer.StatusCode < http.StatusInternalServerError, nil
	}
	var ns metav1.PartialObjectMetadata
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, &ns); err != nil || clusterID(&ns) != b.uid {
		return false, b.other
	}
	return true, nil
}
