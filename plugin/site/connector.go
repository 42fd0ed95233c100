// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

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
	// Warn tells what was not followed; it may be nil.
	Warn func(text string)

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
	if known := c.readCache()[here.Address()]; known.Context != "" && c.raw.Contexts[known.Context] != nil {
		return c.boundSite(known)
	}
	found, err := c.search(ctx, here)
	if found.Context == "" || err != nil {
		return nil, err
	}
	cache := c.readCache()
	cache[here.Address()] = found
	c.writeCache(cache)
	return c.boundSite(found)
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
