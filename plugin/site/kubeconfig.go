// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// target is a context of a kubeconfig file.
type target struct {
	// file is empty for the kubeconfig of all commands.
	context, file string
	in            *clientcmdapi.Config
}

// cluster is the entry that the context names; nil without one.
func (t target) cluster() *clientcmdapi.Cluster {
	if at := t.in.Contexts[t.context]; at != nil {
		return t.in.Clusters[at.Cluster]
	}
	return nil
}

func (t target) proxy() string {
	if entry := t.cluster(); entry != nil {
		return entry.ProxyURL
	}
	return ""
}

// same reports whether two targets are one context of one file.
func (t target) same(as target) bool { return t.context == as.context && t.file == as.file }

// PeerFile returns the kubeconfig of the other site as far as it is said by flag or environment; may be empty. Several
// files are divided as in KUBECONFIG.
func (c *Connector) PeerFile() string {
	file := c.PeerKubeconfig
	if file == "" {
		file = c.Env("KUBECTL_VGR_PEER_KUBECONFIG")
	}
	if file == "" {
		return ""
	}
	files := filepath.SplitList(file)
	for i, name := range files {
		if whole, err := filepath.Abs(name); err == nil {
			files[i] = whole
		}
	}
	return strings.Join(files, string(os.PathListSeparator))
}

// contexts returns those of a file; of the kubeconfig of all commands when it is empty.
func (c *Connector) contexts(file string) (*clientcmdapi.Config, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	if file == "" {
		return &c.raw, nil
	}
	files := filepath.SplitList(file)
	if !slices.ContainsFunc(files, func(name string) bool { _, err := os.Stat(name); return err == nil }) {
		return nil, clierror.New(clierror.CodeError, "check --peer-kubeconfig or KUBECTL_VGR_PEER_KUBECONFIG", "kubeconfig of the other site: there is no file %s", file)
	}
	raw, err := (&clientcmd.ClientConfigLoadingRules{Precedence: files}).Load()
	if err != nil {
		return nil, clierror.New(clierror.CodeError, "check --peer-kubeconfig or KUBECTL_VGR_PEER_KUBECONFIG", "kubeconfig of the other site: %v", err)
	}
	return raw, nil
}

// in returns a context of a file.
func (c *Connector) in(file, context string) (target, error) {
	raw, err := c.contexts(file)
	if err != nil {
		return target{}, err
	}
	if raw.Contexts[context] == nil {
		return target{}, noContext(context, file)
	}
	return target{context, file, raw}, nil
}

// main returns a context of the kubeconfig of all commands, which has it.
func (c *Connector) main(context string) target { return target{context, "", &c.raw} }

// theirs returns the context that the kubeconfig of the other site is about: its current one, or its only one.
func (c *Connector) theirs(file string) (target, error) {
	raw, err := c.contexts(file)
	if err != nil {
		return target{}, err
	}
	name := raw.CurrentContext
	if all := slices.Collect(maps.Keys(raw.Contexts)); name == "" && len(all) == 1 {
		name = all[0]
	}
	if raw.Contexts[name] == nil {
		return target{}, clierror.New(clierror.CodeError, "name one with --peer-context", "the kubeconfig %s has no current context", file)
	}
	return target{name, file, raw}, nil
}

// site connects to a context. A site whose part of the kubeconfig is broken says so when it is asked: the other one
// can be asked all the same.
func (c *Connector) site(at target) *Site {
	config, err := c.config(at)
	if err != nil {
		return c.broken(at, err)
	}
	config.UserAgent = c.UserAgent
	return connect(at, config, c.kinds, c.Clock.Now)
}

// config reads a context without the flags that are about this site only.
func (c *Connector) config(at target) (*rest.Config, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: at.context}
	if f := c.Flags; f != nil {
		overrides.AuthInfo.Impersonate = *f.Impersonate
		overrides.AuthInfo.ImpersonateGroups = *f.ImpersonateGroup
		if *f.Timeout != "0" {
			overrides.Timeout = *f.Timeout
		}
	}
	return clientcmd.NewNonInteractiveClientConfig(*at.in, at.context, overrides, nil).ClientConfig()
}

// broken returns a site that cannot be asked for what the kubeconfig has of it, such as a certificate that is not there.
func (c *Connector) broken(at target, why error) *Site {
	why = unsent("its part of the kubeconfig cannot be used: %v", why)
	config := &rest.Config{Timeout: RequestTimeout}
	if entry := at.cluster(); entry != nil {
		config.Host, config.ServerName = entry.Server, entry.TLSServerName
	}
	return &Site{
		Name: at.context, Context: at.context, File: at.file, proxy: at.proxy(), config: config, kinds: c.kinds, date: &clockReading{}, now: c.Clock.Now,
		transport: func() (*http.Client, error) { return nil, why },
	}
}

func noContext(name, file string) error {
	if file != "" {
		return clierror.New(clierror.CodeError, "kubectl config get-contexts --kubeconfig "+file, "there is no context %q in the kubeconfig %s", name, file)
	}
	return clierror.New(clierror.CodeError, "kubectl config get-contexts", "there is no context %q in the kubeconfig", name)
}
