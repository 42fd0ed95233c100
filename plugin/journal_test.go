// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// discardsJournals: a journal that nothing can be made of holds up every operation, and each refusal names the way
// out, which shows the journal before it removes it.
func (b *bench) discardsJournals() {
	b.group(b.east, "stuck", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "stuck", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	key := client.ObjectKey{Namespace: "default", Name: "stuck"}
	journal := func(c client.Client) string {
		var g vgrv1.VolumeGroupReplication
		b.must(c.Get(b.t.Context(), key, &g))
		return g.Annotations[vgrv1.AnnotationOperation]
	}
	discard := []string{"failover", "stuck", "--peer-context", "west", "--discard-journal"}
	for name, text := range map[string]string{
		"no JSON":          "\x1b[31mgarbage",
		"no revision left": `{"id":"x","kind":"planned","revision":9223372036854775807}`,
		"other clusters":   `{"id":"x","kind":"planned","revision":7,"from":{"name":"a","cluster":"b"},"to":{"name":"c","cluster":"d"},"steps":[{"id":"promote","asked":true}]}`,
	} {
		var g vgrv1.VolumeGroupReplication
		b.must(b.west.Get(b.t.Context(), key, &g))
		g.Annotations = map[string]string{vgrv1.AnnotationOperation: text}
		b.must(b.west.Update(b.t.Context(), &g))
		for _, args := range [][]string{
			{"--to", "west"}, {"--abort"}, {"--to", "west", "--unplanned", "--accept-data-loss", "unknown"}, {"--to", "east", "--unplanned", "--accept-data-loss", "unknown"},
		} {
			r := b.vgr(append([]string{"failover", "stuck", "--peer-context", "west", "--yes"}, args...)...)
			if r.code == 0 || !strings.Contains(r.errOut, "--discard-journal") {
				b.t.Errorf("%s: %v: exit code %d, and no way out\n%s", name, args, r.code, r.errOut)
			}
		}
		for _, args := range [][]string{{"--dry-run=client"}, {"--dry-run=server"}, {}} {
			if r := b.vgr(append(discard, args...)...); !strings.Contains(r.errOut, "the journal on west") || strings.Contains(r.errOut, "\x1b[31mg") || len(args) == 0 && r.code == 0 {
				b.t.Errorf("%s: %v: exit code %d\n%s", name, args, r.code, r.errOut)
			}
			if journal(b.west) != text {
				b.t.Errorf("%s: removed by %v", name, args)
			}
		}
		if r := b.vgr(append(discard, "--yes")...); r.code != 0 || journal(b.west) != "" {
			b.t.Errorf("%s: exit code %d\n%s", name, r.code, r.errOut)
		}
		if r := b.vgr("failover", "stuck", "--peer-context", "west", "--to", "west", "--dry-run=client"); strings.Contains(r.errOut, "--discard-journal") {
			b.t.Errorf("%s: it is still there:\n%s", name, r.errOut)
		}
	}
	if r := b.vgr(discard...); r.code != 0 || !strings.Contains(r.errOut, "there is no journal") {
		b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
}
