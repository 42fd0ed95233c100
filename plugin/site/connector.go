// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// identifyTimeout bounds the search for the peer among all contexts.
const identifyTimeout = 3 * time.Second

// Connector finds the sites from flags, environment and what create remembered.
type Connector struct {
	Flags *genericclioptions.ConfigFlags
	// PeerContext is the value of --peer-context.
	PeerContext string
	// Env reads environment variables.
	Env func(string) string
	// UserAgent is sent with every request.
	UserAgent string
	Profiles  backend.Profiles
	Clock     clock.PassiveClock

	once   sync.Once
	raw    clientcmdapi.Config
	rawErr error
	kinds  kinds
}

func (c *Connector) load() error {
	c.once.Do(func() {
		if *c.Flags.Context == "" { // before anything is read: what is read first is kept
			*c.Flags.Context = c.Env("KUBECTL_VGR_CONTEXT")
		}
		if c.raw, c.rawErr = c.Flags.ToRawKubeConfigLoader().RawConfig(); c.rawErr == nil {
			c.kinds, c.rawErr = newKinds(c.Profiles)
		}
	})
	if c.rawErr != nil {
		return clierror.New(clierror.CodeError, "check --kubeconfig or KUBECONFIG", "kubeconfig: %v", c.rawErr)
	}
	return nil
}

// ContextName returns the context of this site.
func (c *Connector) ContextName() string {
	if name := *c.Flags.Context; name != "" {
		return name
	}
	if name := c.Env("KUBECTL_VGR_CONTEXT"); name != "" {
		return name
	}
	if c.load() != nil {
		return ""
	}
	return c.raw.CurrentContext
}

// Contexts lists the names of all contexts.
func (c *Connector) Contexts() []string {
	if c.load() != nil {
		return nil
	}
	var names []string
	for name := range c.raw.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Namespace returns the namespace that was asked for, or that of the context.
func (c *Connector) Namespace() string {
	if ns := *c.Flags.Namespace; ns != "" {
		return ns
	}
	if c.load() == nil {
		if context := c.raw.Contexts[c.ContextName()]; context != nil && context.Namespace != "" {
			return context.Namespace
		}
	}
	return "default"
}

// Here connects to this site.
func (c *Connector) Here() (*Site, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	name := c.ContextName()
	if name == "" {
		return nil, clierror.New(clierror.CodeError, "name one with --context, or set one with kubectl config use-context",
			"no cluster: the kubeconfig has no current context")
	}
	if c.raw.Contexts[name] == nil {
		return nil, noContext(name)
	}
	*c.Flags.Context = name
	config, err := c.Flags.ToRESTConfig() // --server, --user, --token and the like are about this site
	if err != nil {
		return nil, clierror.New(clierror.CodeError, "kubectl config view --context "+name, "context %q: %v", name, err)
	}
	config.UserAgent = c.UserAgent
	return connect(name, config, c.kinds, c.Clock.Now), nil
}

func noContext(name string) error {
	return clierror.New(clierror.CodeError, "kubectl config get-contexts", "there is no context %q in the kubeconfig", name)
}

func (c *Connector) site(name string) (*Site, error) {
	if c.raw.Contexts[name] == nil {
		return nil, noContext(name)
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: name}
	if f := c.Flags; f != nil {
		overrides.AuthInfo.Impersonate = *f.Impersonate
		overrides.AuthInfo.ImpersonateGroups = *f.ImpersonateGroup
		if *f.Timeout != "0" {
			overrides.Timeout = *f.Timeout
		}
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(c.raw, name, overrides, nil).ClientConfig()
	if err != nil { // the other site can be asked all the same
		err = unsent("its part of the kubeconfig cannot be used: %v", err)
		broken := &rest.Config{Timeout: RequestTimeout}
		if cluster := c.raw.Clusters[c.raw.Contexts[name].Cluster]; cluster != nil {
			broken.Host = cluster.Server
		}
		return &Site{
			Name: name, config: broken, kinds: c.kinds, date: &clockReading{}, now: c.Clock.Now,
			transport: func() (*http.Client, error) { return nil, err },
		}, nil
	}
	config.UserAgent = c.UserAgent
	return connect(name, config, c.kinds, c.Clock.Now), nil
}

// PeerName returns the peer's context as far as it is said by flag or environment; may be empty.
func (c *Connector) PeerName() string {
	if c.PeerContext != "" {
		return c.PeerContext
	}
	return c.Env("KUBECTL_VGR_PEER_CONTEXT")
}

// Peer connects to the other site: the named one, or the one that create remembered for the
// groups here. It returns nil when none is known.
func (c *Connector) Peer(ctx context.Context, here *Site) (*Site, error) {
	if name := c.PeerName(); name != "" {
		if name == here.Name {
			name = c.swapped()
		}
		if name == "" || name == here.Name {
			return nil, clierror.New(clierror.CodeError, "name the other site with --peer-context", "%q is both this site and its peer", here.Name)
		}
		return c.site(name)
	}
	cache := c.readCache()
	if name := cache[here.Address()]; name != "" && c.raw.Contexts[name] != nil {
		return c.site(name)
	}
	name, err := c.search(ctx, here)
	if name == "" || err != nil {
		return nil, err
	}
	cache[here.Address()] = name
	c.writeCache(cache)
	return c.site(name)
}

// swapped returns the peer when --context names what the environment calls the peer: the other one of that pair.
// Commands that are printed name one context, and must work whichever site it is.
func (c *Connector) swapped() string {
	switch name := c.Env("KUBECTL_VGR_CONTEXT"); {
	case c.PeerContext != "":
		return ""
	case name != "":
		return name
	default:
		return c.raw.CurrentContext
	}
}

// search finds the context whose cluster has the UID that a group here remembers as its peer's.
// The remembered context name is only a hint, and is asked first.
func (c *Connector) search(ctx context.Context, here *Site) (string, error) {
	cl, err := here.Client()
	if err != nil {
		return "", err
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := cl.List(ctx, &groups, client.Limit(50)); err != nil {
		return "", nil //nolint:nilerr // the command itself will say what is wrong with this site
	}
	var uid, hint string
	for _, g := range groups.Items {
		switch named := g.Annotations[vgrv1.AnnotationPeerClusterUID]; {
		case named == "" || named == uid:
		case uid != "": // a user who may write one group must not choose the other site for all
			return "", clierror.Refused("name the other site with --peer-context", "the groups on %s name several clusters as their peer", here.Name)
		default:
			uid, hint = named, g.Annotations[vgrv1.AnnotationPeerContext]
		}
	}
	if uid == "" {
		return "", nil
	}
	if c.is(ctx, hint, uid) {
		return hint, nil
	}
	return c.askAll(ctx, uid, here.Name), nil
}

func (c *Connector) is(ctx context.Context, name, uid string) bool {
	if name == "" || c.raw.Contexts[name] == nil {
		return false
	}
	s, err := c.site(name)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	got, err := s.UID(ctx)
	return err == nil && got == uid
}

func (c *Connector) askAll(ctx context.Context, uid, except string) string {
	found := make(chan string, len(c.raw.Contexts))
	var asked sync.WaitGroup
	for _, name := range c.Contexts() {
		if name == except {
			continue
		}
		asked.Go(func() {
			if c.is(ctx, name, uid) {
				found <- name
			}
		})
	}
	asked.Wait()
	close(found)
	return <-found
}

// The cache maps the address of a cluster to the context of its peer. It saves a round trip and
// is never trusted for a change: those compare cluster UIDs.
func (c *Connector) cacheFile() string {
	dir := c.Env("XDG_CACHE_HOME")
	if dir == "" {
		home := c.Env("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "kubectl-vgr", "peers.json")
}

func (c *Connector) readCache() map[string]string {
	cache := map[string]string{}
	file := c.cacheFile()
	if file == "" {
		return cache
	}
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &cache) != nil {
		return map[string]string{}
	}
	return cache
}

func (c *Connector) writeCache(cache map[string]string) {
	file := c.cacheFile()
	data, err := json.Marshal(cache)
	if file == "" || err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return // a cache that cannot be written is only slower
	}
	_ = os.WriteFile(file, data, 0o600)
}
