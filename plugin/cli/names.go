// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
)

// Names returns the query for groups that are named as NAME, as NAMESPACE/NAME, or as -o name prints them.
func (e *Env) Names(args []string, allNamespaces bool) (collect.Query, error) {
	asked := e.Sites.Namespace()
	var q collect.Query
	var namespaces []string
	for _, arg := range args {
		namespace, name := asked, unprefixed(arg)
		qualified := strings.Contains(name, "/")
		if qualified {
			namespace, name, _ = strings.Cut(name, "/")
		}
		switch given := *e.Sites.Flags.Namespace; {
		case namespace == "" && qualified, name == "", strings.Contains(name, "/"):
			return q, clierror.New(clierror.CodeError, "use NAME, or NAMESPACE/NAME", "%q is not the name of a group", arg)
		case given != "" && given != namespace:
			return q, clierror.New(clierror.CodeError, "leave out -n "+given, "%s is not in the namespace of -n, %s", arg, given)
		case allNamespaces && !qualified:
			namespace = ""
		default:
			name = namespace + "/" + name
		}
		namespaces = append(namespaces, namespace)
		q.Names = append(q.Names, name)
	}
	namespaces = slices.Compact(slices.Sorted(slices.Values(namespaces)))
	switch {
	case len(namespaces) == 1 && namespaces[0] != "": // one namespace is asked, which needs fewer permissions
		q.Namespace = namespaces[0]
		for i, name := range q.Names {
			q.Names[i] = strings.TrimPrefix(name, q.Namespace+"/")
		}
	case len(args) == 0 && !allNamespaces:
		q.Namespace = asked
	}
	return q, nil
}

// unprefixed takes off the resource that -o name prints before a name. A namespace has no dots.
func unprefixed(name string) string {
	if resource, rest, ok := strings.Cut(name, "/"); ok && strings.HasSuffix(resource, "."+vgrv1.GroupVersion.Group) {
		return rest
	}
	return name
}
