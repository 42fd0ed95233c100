// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// OneOf replaces what the user has typed for a site by its display name. A site is also known by its context, and by what it
// would be called without an alias. What could be either site is refused.
func OneOf(typed *string, flag string, sites [2]*site.Site) error {
	if *typed == "" {
		return nil
	}
	var meant []*site.Site
	for _, s := range sites {
		if slices.Contains([]string{s.Name, s.Short, s.Context}, *typed) {
			meant = append(meant, s)
		}
	}
	named := func(name func(*site.Site) string) string {
		return fmt.Sprintf("%s %s, or %s %s", flag, recovery.ShellQuote(name(sites[0])), flag, recovery.ShellQuote(name(sites[1])))
	}
	switch {
	case len(meant) == 1:
		*typed = meant[0].Name
		return nil
	case len(meant) == 0:
		return clierror.New(clierror.CodeError, named(func(s *site.Site) string { return s.Name }), "%s %s: that is neither of the two sites", flag, *typed)
	case sites[0].Context != sites[1].Context:
		return clierror.New(clierror.CodeError, named(func(s *site.Site) string { return s.Context }), "%s %s: both sites have that name", flag, *typed)
	default:
		return clierror.New(clierror.CodeError, named(func(s *site.Site) string { return s.Name }), "%s %s: both sites have that context", flag, *typed)
	}
}

// CompleteSites completes the names of the two sites, or of the contexts where they are not known without asking a site.
func CompleteSites(e *Env) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := e.Sites.Pair()
		if names == nil {
			names = e.Sites.Contexts()
		}
		return typeable(names), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompletePeerContexts completes --peer-context.
func CompletePeerContexts(e *Env) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return typeable(e.Sites.PeerContexts()), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteAliases completes the names that the user has given sites.
func CompleteAliases(e *Env) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		aliases, err := e.Sites.Aliases()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, a := range aliases {
			names = append(names, a.Name)
		}
		return typeable(names), cobra.ShellCompDirectiveNoFileComp
	}
}
