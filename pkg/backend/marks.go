// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mark names what a tool with an API group left on an object: a reference to an owner, a label, an annotation or a
// finalizer; empty when it left nothing.
func Mark(obj metav1.Object, group string) string {
	of := func(domain string) bool { return domain == group || strings.HasSuffix(domain, "."+group) }
	has := func(key string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return of(domain)
	}
	for _, o := range obj.GetOwnerReferences() {
		if has(o.APIVersion) {
			return fmt.Sprintf("owner %s %s", o.Kind, o.Name)
		}
	}
	for _, marks := range []struct {
		kind string
		keys []string
	}{
		{"label", slices.Sorted(maps.Keys(obj.GetLabels()))},
		{"annotation", slices.Sorted(maps.Keys(obj.GetAnnotations()))},
		{"finalizer", obj.GetFinalizers()},
	} {
		if i := slices.IndexFunc(marks.keys, has); i >= 0 {
			return marks.kind + " " + marks.keys[i]
		}
	}
	return ""
}
