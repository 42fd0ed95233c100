// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// FuzzSelector: what is typed behind -l is understood, or refused.
func FuzzSelector(f *testing.F) {
	for _, seed := range []string{"", "app=db", "app in (a,b),!c", "app=(", "\x00", "名=前"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := &Env{Sites: &site.Connector{Flags: genericclioptions.NewConfigFlags(false)}}
		*e.Sites.Flags.Namespace = "production"
		q, err := (&Selection{selector: text}).Query(e, nil, true)
		if (err == nil) != (text != "" && q.Selector != nil) {
			t.Errorf("-l %q: %v, %v", text, q.Selector, err)
		}
	})
}
