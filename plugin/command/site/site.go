// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package site has the commands about the sites themselves: their names, and what they are.
package site

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	connect "github.com/unified-replication/kubectl-vgr/plugin/site"
)

// NewSite makes the site command.
func NewSite(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{Use: "site", Short: "Show the sites, and name them"}
	cmd.AddCommand(newList(e), newAlias(e))
	return cmd
}

func newAlias(e *cli.Env) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use: "alias NAME", Short: "Name a site", Args: cli.ExactlyOne("name"), ValidArgsFunction: cli.CompleteAliases(e),
		Long: `Name the cluster of --context. All commands show the site by that name and accept it, beside its context.

The name is kept in your configuration directory with the identity of the cluster. No cluster is changed. "create"
writes the names of both clusters into the group, and offers them to other users.`,
		Example: "  kubectl vgr site alias east --context default/api-ocp-east-example-com:6443/kube:admin\n  kubectl vgr site alias east --remove",
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		aliases, err := e.Sites.Aliases()
		if err != nil {
			return clierror.New(clierror.CodeError, "", "names of sites: %v", err)
		}
		if remove {
			return removeAlias(e, aliases, args[0])
		}
		return setAlias(cmd, e, aliases, args[0])
	}
	return cmd
}

func removeAlias(e *cli.Env, aliases []connect.Alias, name string) error {
	kept := slices.DeleteFunc(slices.Clone(aliases), func(a connect.Alias) bool { return a.Name == name })
	if len(kept) == len(aliases) {
		return clierror.New(clierror.CodeError, "kubectl vgr site list", "you have named no site %s", name)
	}
	if err := e.Sites.SetAliases(kept); err != nil {
		return clierror.New(clierror.CodeError, "", "remove the name %s: %v", name, err)
	}
	fmt.Fprintf(e.ErrOut, "the name %s is removed\n", present.Clean(name))
	return nil
}

func setAlias(cmd *cobra.Command, e *cli.Env, aliases []connect.Alias, name string) error {
	if err := connect.ValidAlias(name); err != nil {
		return clierror.New(clierror.CodeError, "kubectl vgr site alias --help", "%q: %v", name, err)
	}
	here, err := e.Sites.Here()
	if err != nil {
		return err
	}
	s := e.Sites.Unbound(here)
	for _, context := range e.Sites.Contexts() {
		if strings.EqualFold(context, name) && context != s.Context {
			return clierror.New(clierror.CodeError, "choose another name", "%s is a context of the kubeconfig already", context)
		}
	}
	uid, err := s.UID(cmd.Context())
	if err != nil {
		return cli.SiteError(cmd.Context(), s, "identify the cluster", err)
	}
	for _, a := range aliases {
		if strings.EqualFold(a.Name, name) && a.Cluster != uid {
			return clierror.New(clierror.CodeError, "kubectl vgr site alias "+a.Name+" --remove", "%s is the name of another cluster, that of context %s", a.Name, a.Context)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(aliases), func(a connect.Alias) bool { return a.Cluster == uid || a.Endpoint == s.Endpoint() })
	kept = append(kept, connect.Alias{Name: name, Cluster: uid, Endpoint: s.Endpoint(), Context: s.Context, File: s.File})
	if err := e.Sites.SetAliases(kept); err != nil {
		return clierror.New(clierror.CodeError, "", "keep the name %s: %v", name, err)
	}
	fmt.Fprintf(e.ErrOut, "%s is named %s\n", present.Clean(s.Context), present.Clean(name))
	return nil
}
