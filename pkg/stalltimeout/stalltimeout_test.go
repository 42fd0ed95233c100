// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package stalltimeout_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/stalltimeout"
)

const bound = 10 * time.Second

// wall is the time of the bubble that a test runs in.
var wall = clock.RealClock{}

// silence never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// speaker answers at once, with a byte after each of the pauses. Then it is silent as long as the request lasts, or ends.
type speaker struct {
	pauses []time.Duration
	ends   bool
}

func (s speaker) RoundTrip(r *http.Request) (*http.Response, error) {
	body, says := io.Pipe()
	context.AfterFunc(r.Context(), func() { says.CloseWithError(r.Context().Err()) })
	go func() {
		for _, pause := range s.pauses {
			wall.Sleep(pause)
			if _, err := says.Write([]byte{'x'}); err != nil {
				return
			}
		}
		if s.ends {
			says.Close()
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

func ask(ctx context.Context, url string, next http.RoundTripper) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := stalltimeout.Transport{Next: next, Bound: bound}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// TestBeginning: a silence is an error after the bound, and no timeout that client-go would try again.
func TestBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := wall.Now()
		_, err := ask(t.Context(), "https://host/api", silence{})
		var timeout interface{ Timeout() bool }
		if err == nil || err.Error() != "no answer within 10s" || errors.As(err, &timeout) || wall.Since(began) != bound {
			t.Errorf("silence: %T %v after %s", err, err, wall.Since(began))
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if _, err := ask(stopped, "https://host/api", silence{}); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

// TestBody: an answer that has begun ends when it halts, however long it was before; a watch when its own time is over.
func TestBody(t *testing.T) {
	const never = time.Hour
	for name, tc := range map[string]struct {
		query  string
		server speaker
		// after is when reading ends, never for not at all, and says with what.
		after time.Duration
		says  string
	}{
		"whole":                  {"", speaker{[]time.Duration{0, 0}, true}, 0, ""},
		"slow":                   {"", speaker{slices.Repeat([]time.Duration{bound - 1}, 20), true}, 20 * (bound - 1), ""},
		"halts at once":          {"", speaker{}, bound, "the answer has stalled for 10s"},
		"halts":                  {"?watch=false", speaker{[]time.Duration{5 * time.Second, 0}, false}, 5*time.Second + bound, "the answer has stalled for 10s"},
		"watch":                  {"?watch=true", speaker{}, never, ""},
		"watch with a time":      {"?watch=1&timeoutSeconds=300", speaker{[]time.Duration{time.Minute}, false}, 5*time.Minute + bound, ""},
		"streamed list":          {"?watch=true&sendInitialEvents=true&timeoutSeconds=300", speaker{[]time.Duration{0, 0}, false}, 5*time.Minute + bound, ""},
		"watch that ends itself": {"?watch=true&timeoutSeconds=60", speaker{[]time.Duration{time.Minute}, true}, time.Minute, ""},
		"watch without a number": {"?watch=true&timeoutSeconds=x", speaker{}, never, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := wall.Now()
				body, err := ask(t.Context(), "https://host/api"+tc.query, tc.server)
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() {
					_, err := io.Copy(io.Discard, body)
					ended <- err
				}()
				select {
				case err := <-ended:
					if took := wall.Since(began); took != tc.after {
						t.Errorf("it has ended after %s, want %s", took, tc.after)
					}
					if err != nil && err.Error() != tc.says || err == nil && tc.says != "" {
						t.Errorf("it has ended with %v, want %q", err, tc.says)
					}
				case <-wall.After(never):
					if tc.after != never {
						t.Error("it does not end")
					}
				}
				if err := body.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestIdleReader: who reads an answer in pauses of his own has the next part as quickly as ever.
func TestIdleReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, err := ask(t.Context(), "https://host/api", speaker{[]time.Duration{0, 0, 0}, true})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		for range 3 {
			wall.Sleep(10 * bound)
			if n, err := body.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		}
	})
}
