// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Completion must not make a shell wait.
const (
	completionTimeout = 2 * time.Second
	completionLimit   = 500
)

type completer = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// CompleteGroups completes the names of groups that are not on the command line yet.
func CompleteGroups(e *Env) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		namespace, prefix := e.Sites.Namespace(), ""
		if given, _, ok := strings.Cut(toComplete, "/"); ok && given != "" {
			namespace, prefix = given, given+"/"
		}
		names := e.names(cmd.Context(), vgrv1.GroupVersion.WithKind("VolumeGroupReplicationList"), namespace)
		given := map[string]bool{}
		for _, a := range args {
			given[a] = true
		}
		var out []string
		for _, n := range names {
			if n = prefix + n; !given[n] {
				out = append(out, n)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteClasses completes the names of classes.
func CompleteClasses(e *Env) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if cmd.Name() == "describe" && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.names(cmd.Context(), vgrv1.GroupVersion.WithKind("VolumeGroupReplicationClassList"), ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteStorageClassMap completes a StorageClass of this site, and after "=" one of the peer's.
func CompleteStorageClassMap(e *Env) completer {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		kind := storagev1.SchemeGroupVersion.WithKind("StorageClassList")
		from, _, second := strings.Cut(toComplete, "=")
		if !second {
			names := e.names(cmd.Context(), kind, "")
			for i := range names {
				names[i] += "="
			}
			return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		p, err := e.Pair(ctx)
		if err != nil || p.Peer == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := namesOn(ctx, p.Peer, kind, "")
		for i := range names {
			names[i] = from + "=" + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteNamespaces completes -n.
func CompleteNamespaces(e *Env) completer {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return e.names(cmd.Context(), corev1.SchemeGroupVersion.WithKind("NamespaceList"), ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteContexts completes --context and --peer-context.
func CompleteContexts(e *Env) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return typeable(e.Sites.Contexts()), cobra.ShellCompDirectiveNoFileComp
	}
}

// typeable leaves out names that a shell would not take as they are. Of several that match, shells insert what is common
// to them without quotes, so that a name could bring a command with it.
func typeable(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		plain := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
		other := func(r rune) bool { return !plain(r) && !strings.ContainsRune("-_./:@%+=,", r) }
		first, _ := utf8.DecodeRuneInString(name)
		return !plain(first) || strings.ContainsFunc(name, other)
	})
}

// names lists object names, as metadata only; nothing when the site does not answer in time.
func (e *Env) names(ctx context.Context, kind schema.GroupVersionKind, namespace string) []string {
	here, err := e.Sites.Here()
	if err != nil {
		return nil
	}
	return namesOn(ctx, here, kind, namespace)
}

func namesOn(ctx context.Context, at *site.Site, kind schema.GroupVersionKind, namespace string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	c, err := at.Client()
	if err != nil {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(completionLimit)); err != nil {
		return nil
	}
	var out []string
	for i := range list.Items {
		accessor, err := meta.Accessor(&list.Items[i])
		if err == nil {
			out = append(out, accessor.GetName())
		}
	}
	return typeable(out)
}
