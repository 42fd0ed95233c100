// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestPrintedCommands runs what commands print as the next step, where it was printed: it must be about the same two sites.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
	}
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	printed := regexp.MustCompile(`kubectl vgr ((?:failover|status|demote|promote|list) [^;]*?)(?: moves | shows |$)`)
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"flags":                        {nil, []string{"promote", "orders", "--context", "west", "--peer-context", "east", "--yes"}},
		"a flag names the peer":        {nil, []string{"resync", "orders", "--peer-context", "west", "--yes"}},
		"the environment":              {map[string]string{"KUBECTL_VGR_CONTEXT": "west", "KUBECTL_VGR_PEER_CONTEXT": "east"}, []string{"promote", "orders", "--yes"}},
		"the environment, and a flag":  {map[string]string{"KUBECTL_VGR_CONTEXT": "east", "KUBECTL_VGR_PEER_CONTEXT": "west"}, []string{"promote", "orders", "--context", "west", "--yes"}},
		"the current context, swapped": {map[string]string{"KUBECTL_VGR_PEER_CONTEXT": "west"}, []string{"promote", "orders", "--context", "west", "--yes"}},
		"no such group":                {nil, []string{"promote", "nothing", "--context", "west", "--peer-context", "east", "--yes"}},
		"of a site that is lost":       {nil, []string{"promote", "orders", "--context", "west", "--peer-context", "dead", "--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			b.env = tc.env
			defer func() { b.env = nil }()
			r := b.vgr(tc.args...)
			var found []string
			for line := range strings.Lines(r.errOut) {
				if strings.HasPrefix(strings.TrimSpace(line), "Next:") {
					for _, m := range printed.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
						found = append(found, m[1])
					}
				}
			}
			if len(found) == 0 {
				t.Fatalf("no command is printed:\n%s", r.errOut)
			}
			for _, command := range found {
				args := strings.Fields(command)
				if args[0] != "status" && args[0] != "list" {
					args = append(args, "--dry-run=client")
				}
				again := b.vgr(args...)
				if again.code == 1 || strings.Contains(again.errOut, "no peer is known") {
					t.Errorf("kubectl vgr %s: exit code %d\n%s", command, again.code, again.errOut)
				}
			}
		})
	}
}
