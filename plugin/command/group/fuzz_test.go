// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import "testing"

// FuzzWanted: any selector and any name make a group that the API server can take, or an error.
func FuzzWanted(f *testing.F) {
	for _, seed := range []string{"", "app=db", "app in (a,b),!c", "app=(", "\x00", "名=前"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		made, err := (&creation{class: "gold", selector: text, state: "primary"}).wanted("production", name)
		if (err == nil) != (made != nil) || made != nil && (made.Spec.Selector == nil || len(made.Name) > 63) {
			t.Errorf("-l %q makes %+v, %v", text, made, err)
		}
	})
}
