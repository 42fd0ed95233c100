// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"maps"
	"slices"
	"sync"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth-provider of a kubeconfig, as kubectl has it
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// Connector finds the sites from flags, environment and what create remembered.
type Connector struct {
	Flags *genericclioptions.ConfigFlags
	// PeerContext is the value of --peer-context, and PeerKubeconfig of --peer-kubeconfig.
	PeerContext, PeerKubeconfig string
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
	// asked is this site; other is its peer where --context named the peer of the usual pair by its display name.
	asked func() (target, error)
	other *target
	// warned has a file that cannot be read told once.
	warned sync.Once
}

func (c *Connector) load() error {
	c.once.Do(func() {
		if *c.Flags.Context == "" { // before anything is read: what is read first is kept
			*c.Flags.Context = c.Env("KUBECTL_VGR_CONTEXT")
		}
		rules := clientcmd.NewDefaultClientConfigLoadingRules() // as ConfigFlags has them
		if c.Flags.KubeConfig != nil {
			rules.ExplicitPath = *c.Flags.KubeConfig
		}
		raw, err := rules.Load()
		if c.rawErr = err; err == nil {
			c.raw = *raw
			c.kinds, c.rawErr = newKinds(c.Profiles)
		}
		c.asked = sync.OnceValues(c.resolve)
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
	return slices.Sorted(maps.Keys(c.raw.Contexts))
}

// PeerContexts lists the names of the contexts that the peer may have.
func (c *Connector) PeerContexts() []string {
	raw, err := c.contexts(c.PeerFile())
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// Namespace returns the namespace that was asked for, or that of the context.
func (c *Connector) Namespace() string {
	if ns := *c.Flags.Namespace; ns != "" {
		return ns
	}
	if c.load() == nil {
		if at, err := c.asked(); err == nil && at.in.Contexts[at.context].Namespace != "" {
			return at.in.Contexts[at.context].Namespace
		}
	}
	return "default"
}

// resolve finds the context of this site: by its name or, where there is no such context, by the name that the site is shown by.
func (c *Connector) resolve() (target, error) {
	name := c.ContextName()
	switch {
	case name == "":
		return target{}, clierror.New(clierror.CodeError, "name one with --context, or set one with kubectl config use-context",
			"no cluster: the kubeconfig has no current context")
	case c.raw.Contexts[name] != nil:
		return c.main(name), nil
	}
	usual, peer := c.usual()
	if at, ok := c.byAlias(name); ok {
		if peer != nil && at.same(*peer) {
			c.other = usual
		}
		return at, nil
	}
	if usual != nil && peer != nil {
		here, there := c.site(*usual), c.site(*peer)
		switch c.name(here, there); name {
		case here.Name:
			return *usual, nil
		case there.Name:
			c.other = usual
			return *peer, nil
		}
	}
	return target{}, noContext(name, "")
}

// usual returns the pair that commands are about without --context, as far as it is known without asking a site.
func (c *Connector) usual() (here, peer *target) {
	name := c.Env("KUBECTL_VGR_CONTEXT")
	if name == "" {
		name = c.raw.CurrentContext
	}
	if c.raw.Contexts[name] == nil {
		return nil, nil
	}
	here = new(c.main(name))
	if at, ok := c.said(); ok {
		return here, &at
	}
	if at, _, ok := c.remembered(c.site(*here)); ok {
		return here, &at
	}
	if file := c.PeerFile(); file != "" {
		if at, err := c.theirs(file); err == nil {
			return here, &at
		}
	}
	return here, nil
}

// said returns the peer that flag or environment name.
func (c *Connector) said() (target, bool) {
	name := c.PeerName()
	if name == "" {
		return target{}, false
	}
	at, err := c.in(c.PeerFile(), name)
	if err != nil {
		return c.byAlias(name)
	}
	return at, true
}

// byAlias finds the context of the site that the user has given a name.
func (c *Connector) byAlias(name string) (target, bool) {
	aliases, err := c.Aliases()
	if err != nil {
		return target{}, false
	}
	for _, a := range aliases {
		if a.Name != name {
			continue
		}
		if at, err := c.in(a.File, a.Context); err == nil && c.site(at).Endpoint() == a.Endpoint {
			return at, true
		}
		for _, context := range c.Contexts() { // it was renamed
			if at := c.main(context); c.site(at).Endpoint() == a.Endpoint {
				return at, true
			}
		}
	}
	return target{}, false
}

// Here connects to this site.
func (c *Connector) Here() (*Site, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	at, err := c.asked()
	if err != nil {
		return nil, err
	}
	var s *Site
	if at.file == "" {
		*c.Flags.Context = at.context
		config, err := c.Flags.ToRESTConfig() // --server, --user, --token and the like are about this site
		switch _, alone := c.config(at); {
		case err == nil:
			config.UserAgent = c.UserAgent
			s = connect(at, config, c.kinds, c.Clock.Now)
		case alone != nil: // not for the flags
			s = c.broken(at, alone)
		default:
			return nil, clierror.New(clierror.CodeError, "kubectl config view --context "+at.context, "context %q: %v", at.context, err)
		}
	} else {
		s = c.site(at)
	}
	c.nameOne(s)
	return s, nil
}

// Pair returns the names of the two sites, for a shell to complete, as far as they are known without asking a site.
func (c *Connector) Pair() []string {
	if c.load() != nil {
		return nil
	}
	here, err := c.Here()
	if err != nil {
		return nil
	}
	at, ok := c.said()
	if c.other != nil {
		at, ok = *c.other, true
	}
	if !ok {
		at, _, ok = c.remembered(here)
	}
	if !ok {
		return nil
	}
	peer := c.site(at)
	c.name(here, peer)
	return []string{here.Name, peer.Name}
}

// PeerName returns the peer's context as far as it is said by flag or environment; may be empty.
func (c *Connector) PeerName() string {
	if c.PeerContext != "" {
		return c.PeerContext
	}
	return c.Env("KUBECTL_VGR_PEER_CONTEXT")
}

// Peer connects to the other site: the named one, or the one that create remembered for the
// groups here. It returns nil when none is known. Both sites have their display names then.
func (c *Connector) Peer(ctx context.Context, here *Site) (*Site, error) {
	peer, err := c.findPeer(ctx, here)
	if err == nil && peer != nil {
		c.name(here, peer)
	}
	return peer, err
}

func (c *Connector) findPeer(ctx context.Context, here *Site) (*Site, error) {
	at, err := c.asked()
	if err != nil {
		return nil, err
	}
	if c.other != nil {
		return c.site(*c.other), nil
	}
	if name := c.PeerName(); name != "" {
		named, ok := c.said()
		if ok && named.same(at) {
			named, ok = c.main(c.swapped()), c.swapped() != ""
			if !ok || named.same(at) {
				return nil, clierror.New(clierror.CodeError, "name the other site with --peer-context", "%q is both this site and its peer", at.context)
			}
		}
		if !ok || named.in.Contexts[named.context] == nil {
			_, err := c.in(c.PeerFile(), name)
			return nil, err
		}
		return c.site(named), nil
	}
	if known, uid, ok := c.remembered(here); ok {
		return c.boundSite(known, uid), nil
	}
	found, uid, err := c.search(ctx, here)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return c.onlyNamedByFile(at)
	}
	cache := c.readCache()
	cache[here.Endpoint()] = known{found.context, uid, found.file}
	c.writeCache(cache)
	return c.boundSite(*found, uid), nil
}

// onlyNamedByFile returns the peer when nothing but its kubeconfig says which it is.
func (c *Connector) onlyNamedByFile(here target) (*Site, error) {
	file := c.PeerFile()
	if file == "" {
		return nil, nil //nolint:nilnil // no peer is a normal answer
	}
	at, err := c.theirs(file)
	if err != nil {
		return nil, err
	}
	if at.same(here) {
		return nil, clierror.New(clierror.CodeError, "name the other site with --peer-context", "%q is both this site and its peer", at.context)
	}
	return c.site(at), nil
}

// nameOne gives a site its alias, as long as its peer is not known.
func (c *Connector) nameOne(s *Site) {
	if a := aliasOf(c.aliases(), s); a.Name != "" {
		s.Name = a.Name
		s.bind(a.Cluster, notNamed(s, a))
	}
}

// name gives both sites of a pair their display names. A site that has an alias is asked for nothing while its cluster is another
// one than that which was given the name.
func (c *Connector) name(here, peer *Site) {
	users := c.aliases()
	offered, _ := readAliases(c.offeredFile())
	of := func(s *Site) (who identity, own, theirs Alias) {
		own, theirs = aliasOf(users, s), aliasOf(offered, s)
		if s.boundTo != "" && own.Cluster != s.boundTo {
			own = Alias{}
		}
		if s.boundTo != "" && theirs.Cluster != s.boundTo || c.raw.Contexts[theirs.Name] != nil {
			theirs = Alias{}
		}
		return identity{context: s.Context, file: s.File, server: s.Address(), alias: own.Name, offered: theirs.Name}, own, theirs
	}
	a, ownA, theirsA := of(here)
	b, ownB, theirsB := of(peer)
	here.Name, peer.Name = displayNames(a, b)
	here.Short, peer.Short = shortNames(a, b)
	for _, s := range []struct {
		*Site
		own, theirs Alias
	}{{here, ownA, theirsA}, {peer, ownB, theirsB}} {
		switch s.Name {
		case s.own.Name:
			s.bind(s.own.Cluster, notNamed(s.Site, s.own))
		case s.theirs.Name:
			s.bind(s.theirs.Cluster, unsent("the cluster at %s is not the one that groups call %s; kubectl vgr site list reads the names again", s.Endpoint(), s.theirs.Name))
		}
	}
}

// Unbound connects to the same context again, whichever cluster that is: a command about names must reach one that has another's.
func (c *Connector) Unbound(s *Site) *Site {
	at, err := c.in(s.File, s.Context)
	if err != nil {
		return s
	}
	out := c.site(at)
	out.Name = s.Name
	return out
}

// Rename gives one or two sites the names that the next command has for them, and asks none of them.
func (c *Connector) Rename(sites ...*Site) {
	for i, s := range sites {
		named := c.Unbound(s)
		if named.Name = s.Context; len(sites) == 2 {
			c.name(named, c.Unbound(sites[1-i]))
		} else {
			c.nameOne(named)
		}
		s.Name = named.Name
	}
}

func notNamed(s *Site, a Alias) error {
	return unsent("the cluster at %s is not the one that you have named %s; kubectl vgr site alias %s --context %s names this one", s.Endpoint(), a.Name, a.Name, s.Kubectl())
}

// aliases returns the user's aliases; none when they cannot be read, which is said once.
func (c *Connector) aliases() []Alias {
	aliases, err := c.Aliases()
	if err != nil && c.Warn != nil {
		c.warned.Do(func() { c.Warn("names of sites: " + err.Error()) })
	}
	return aliases
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
