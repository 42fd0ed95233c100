// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// server answers with one status after the other, then with 200, and remembers what was sent.
type server struct {
	statuses []int
	header   http.Header
	bodies   []string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	s.bodies = append(s.bodies, body)
	status := http.StatusOK
	if len(s.statuses) > 0 {
		status, s.statuses = s.statuses[0], s.statuses[1:]
	}
	header := s.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("said"))}, nil
}

// TestPatient: questions are asked again, changes are not, and trouble that stays is told.
func TestRetry(t *testing.T) {
	const review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	for name, tc := range map[string]struct {
		method, path string
		statuses     []int
		retryAfter   string
		want, sent   int
	}{
		"all is well":              {http.MethodGet, "/api", nil, "", 200, 1},
		"trouble that passes":      {http.MethodGet, "/api", []int{500, 503, 504}, "", 200, 4},
		"of something in between":  {http.MethodGet, "/api", []int{502}, "", 200, 2},
		"trouble that stays":       {http.MethodGet, "/api", []int{500, 500, 500, 503, 500}, "", 503, 4},
		"another kind of error":    {http.MethodGet, "/api", []int{404}, "", 404, 1},
		"client-go has to wait":    {http.MethodGet, "/api", []int{503}, "1", 503, 1},
		"too many requests":        {http.MethodGet, "/api", []int{429}, "1", 429, 1},
		"a question with a body":   {http.MethodPost, review, []int{500}, "", 200, 2},
		"a change":                 {http.MethodPatch, "/api", []int{500}, "", 500, 1},
		"a creation":               {http.MethodPost, "/api", []int{503}, "", 503, 1},
		"a removal":                {http.MethodDelete, "/api", []int{504}, "", 504, 1},
		"an update, too many asks": {http.MethodPut, "/api", []int{429}, "1", 429, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{statuses: tc.statuses, header: http.Header{}}
			if tc.retryAfter != "" {
				s.header.Set("Retry-After", tc.retryAfter)
			}
			r, err := http.NewRequestWithContext(t.Context(), tc.method, "https://host"+tc.path, strings.NewReader("asked"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retryTransport{s}.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tc.want || len(s.bodies) != tc.sent {
				t.Errorf("%d after %d requests, want %d after %d", resp.StatusCode, len(s.bodies), tc.want, tc.sent)
			}
			for i, body := range s.bodies {
				if body != "asked" {
					t.Errorf("request %d had the body %q", i, body)
				}
			}
			if said, err := io.ReadAll(resp.Body); err != nil || string(said) != "said" {
				t.Errorf("the answer is %q: %v", said, err)
			}
		})
	}
}

// TestPatientInterrupted: who does not want to wait any more gets the last answer.
func TestRetryInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &server{statuses: []int{500, 500}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://host/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retryTransport{s}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 500 || len(s.bodies) != 1 {
		t.Errorf("%d after %d requests", resp.StatusCode, len(s.bodies))
	}
}

// TestNoTimeLeft: client-go is told to wait only if there is time for it.
func TestNoTimeLeft(t *testing.T) {
	for bound, want := range map[time.Duration]string{time.Minute: "", time.Hour: "100", 0: "100"} {
		t.Run(bound.String(), func(t *testing.T) {
			ctx := t.Context()
			if bound > 0 {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, bound)
				defer cancel()
			}
			s := &server{statuses: []int{429}, header: http.Header{"Retry-After": {"100"}}}
			r, err := http.NewRequestWithContext(ctx, http.MethodPatch, "https://host/api", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retryTransport{s}.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Retry-After"); got != want {
				t.Errorf("Retry-After %q, want %q", got, want)
			}
		})
	}
}

// TestChangeOnce: a change is sent once, also when the server says when to come again. What came of a second one would
// be told of the first.
func TestChangeOnce(t *testing.T) {
	for status, want := range map[int]int{http.StatusServiceUnavailable: 1, http.StatusInternalServerError: 1, http.StatusTooManyRequests: 2} {
		s := &server{statuses: []int{status}, header: http.Header{"Retry-After": {"0"}}}
		c, err := rest.RESTClientForConfigAndClient(&rest.Config{
			Host: "https://host", ContentConfig: rest.ContentConfig{GroupVersion: &schema.GroupVersion{}, NegotiatedSerializer: serializer.NewCodecFactory(runtime.NewScheme())},
		}, &http.Client{Transport: retryTransport{s}})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Patch(types.MergePatchType).AbsPath("/api").Body([]byte("{}")).Do(t.Context()).Error()
		if len(s.bodies) != want || (err == nil) != (want == 2) {
			t.Errorf("%d: sent %d times, want %d: %v", status, len(s.bodies), want, err)
		}
	}
}
