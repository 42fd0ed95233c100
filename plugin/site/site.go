// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package site connects to the clusters that a command is about: this one, and its peer. It
// uses a fixed table of resources, so that no command waits for discovery.
package site

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/stalltimeout"
)

// Deadlines of a site that may be dead: its silence must not delay the living one.
const (
	// DialTimeout is for a connection.
	DialTimeout = 5 * time.Second
	// RequestTimeout is for a request, unless the user says how long one may take.
	RequestTimeout = 10 * time.Second
)

// FieldManager is who we are to the API server when we write.
const FieldManager = client.FieldOwner("kubectl-vgr")

// Site is one cluster.
type Site struct {
	// Name is what the site is called on screens and by those who type: see displayNames.
	Name string
	// Short is what it would be called without an alias.
	Short string
	// Context is its name in the kubeconfig file; File is empty for the kubeconfig of all commands.
	Context, File string

	config *rest.Config
	// proxy is the URL of the proxy that the kubeconfig names.
	proxy string
	// boundTo is the cluster that must answer; empty for any.
	boundTo string
	kinds   kinds
	date    *clockReading
	now     func() time.Time

	// transport is one for all clients, so that they share connections.
	transport func() (*http.Client, error)
	once      sync.Once
	client    client.WithWatch
	clientErr error
}

// clockReading is how far the clock of the API server is ahead of ours, by the Date headers of its
// answers. They tell whole seconds only and are read late, so the largest difference is the best.
type clockReading struct {
	mu    sync.Mutex
	heard bool
	ahead time.Duration
}

// stepped is how much smaller a difference must be to mean that a clock was set.
const stepped = 3 * time.Second

func (c *clockReading) read(said, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ahead := said.Sub(now); !c.heard || ahead > c.ahead || ahead < c.ahead-stepped {
		c.heard, c.ahead = true, ahead
	}
}

func connect(at target, config *rest.Config, k kinds, now func() time.Time) *Site {
	config = rest.CopyConfig(config)
	if config.Timeout <= 0 {
		config.Timeout = RequestTimeout
	}
	config.QPS = -1 // the server's own priority and fairness is the limit
	config.Dial = (&net.Dialer{Timeout: DialTimeout, KeepAlive: 30 * time.Second}).DialContext
	date := &clockReading{}
	proxy := config.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	s := &Site{Name: at.context, Context: at.context, File: at.file, proxy: at.proxy(), config: config, kinds: k, date: date, now: now}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return waits{answers{retryTransport{dateReader{next, date, now}}, proxy}, func() *Site { return s }}
	})
	// Warnings of the API server would end up in the middle of a table.
	config.WarningHandler = rest.NoWarnings{}
	s.transport = sync.OnceValues(func() (*http.Client, error) {
		over, err := rest.HTTPClientFor(config)
		if err != nil {
			return nil, unsent("kubeconfig: %v", err)
		}
		if config.ExecProvider != nil || config.AuthProvider != nil {
			over.Transport = newLogin(over.Transport, now)
		}
		return over, nil
	})
	return s
}

// Client returns made at the first use.
func (s *Site) Client() (client.WithWatch, error) {
	s.once.Do(func() {
		if s.client, s.clientErr = s.clientOver(s.transport()); s.clientErr != nil {
			s.clientErr = fmt.Errorf("connect to %s: %w", s.Name, s.clientErr)
		}
	})
	return s.client, s.clientErr
}

// WatchClient returns a client without a limit on how long a request may last once an answer has begun. That it begins is
// not a matter of how much there is to tell.
func (s *Site) WatchClient() (client.WithWatch, error) {
	over, err := s.transport()
	if err != nil {
		return nil, err
	}
	return s.clientOver(&http.Client{Transport: stalltimeout.Transport{Next: over.Transport, Bound: min(s.Timeout(), RequestTimeout)}}, nil)
}

func (s *Site) clientOver(over *http.Client, err error) (client.WithWatch, error) {
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(rest.CopyConfig(s.config), client.Options{Scheme: s.kinds.scheme, Mapper: s.kinds.mapper(), HTTPClient: over})
}

// Timeout returns how long a request may take: --request-timeout, or ten seconds.
func (s *Site) Timeout() time.Duration { return s.config.Timeout }

// Now returns the clock of the API server, to within a second; zero before it has answered.
func (s *Site) Now() time.Time {
	s.date.mu.Lock()
	defer s.date.mu.Unlock()
	if !s.date.heard {
		return time.Time{}
	}
	return s.now().Add(s.date.ahead)
}

// UID identifies the cluster: the UID of its kube-system namespace and, where it has been given one, its name. A cluster
// that was restored from a backup of another has the other's UID.
func (s *Site) UID(ctx context.Context) (string, error) {
	c, err := s.Client()
	if err != nil {
		return "", err
	}
	var ns corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: "kube-system"}, &ns); err != nil {
		return "", err
	}
	if name, named := ns.Annotations[vgrv1.AnnotationClusterName]; named && len(validation.IsDNS1123Label(name)) > 0 {
		return "", fmt.Errorf("the annotation %s of the namespace kube-system is %q: only lower-case letters, digits and - are allowed", vgrv1.AnnotationClusterName, name)
	}
	return clusterID(&ns), nil
}

// clusterID returns what the namespace kube-system says of its cluster's identity.
func clusterID(kubeSystem metav1.Object) string {
	if name, named := kubeSystem.GetAnnotations()[vgrv1.AnnotationClusterName]; named {
		return string(kubeSystem.GetUID()) + "/" + name
	}
	return string(kubeSystem.GetUID())
}

// revision returns how often the cluster's store has been changed. One store never tells a smaller one than before.
func (s *Site) revision(ctx context.Context) (int64, error) {
	c, err := s.Client()
	if err != nil {
		return 0, err
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := c.List(ctx, &groups, client.Limit(1)); err != nil {
		return 0, err
	}
	return strconv.ParseInt(groups.ResourceVersion, 10, 64)
}

// Apart reports whether two sites are two clusters for certain, whatever they say of themselves. That it is not certain
// does not mean that they are one.
func Apart(ctx context.Context, a, b *Site) bool {
	var last int64
	for _, s := range []*Site{a, b, a} {
		now, err := s.revision(ctx)
		if err != nil {
			return false
		}
		if now < last {
			return true
		}
		last = now
	}
	return false
}

// Address returns the server, to tell clusters apart without asking them.
func (s *Site) Address() string { return strings.TrimSuffix(s.config.Host, "/") }

// Endpoint returns where the cluster is reached: two clusters may have one address behind two proxies.
func (s *Site) Endpoint() string {
	out := s.Address()
	if s.proxy != "" {
		out += " by way of " + s.proxy
	}
	if name := s.config.ServerName; name != "" {
		out += " as " + name
	}
	return out
}

// Kubectl returns what names the site on a command line of kubectl after --context, ready for a shell.
func (s *Site) Kubectl() string {
	out := recovery.ShellQuote(s.Context)
	if s.File != "" {
		out += " --kubeconfig " + recovery.ShellQuote(s.File)
	}
	return out
}

// Flag returns the same for kubectl vgr, which finds the second file itself.
func (s *Site) Flag() string {
	if s.File != "" {
		return recovery.ShellQuote(s.Name)
	}
	return recovery.ShellQuote(s.Context)
}

// dateReader remembers the Date header of the answers.
type dateReader struct {
	next http.RoundTripper
	date *clockReading
	now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (d dateReader) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		if t, parseErr := http.ParseTime(resp.Header.Get("Date")); parseErr == nil {
			d.date.read(t, d.now())
		}
	}
	return resp, err
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (d dateReader) WrappedRoundTripper() http.RoundTripper { return d.next }
