// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestEvacuate: one command is about all groups of a site, in whichever namespace, and groups are named in each way that
// other commands print.
func TestEvacuate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		for _, ns := range []string{"apps", "shop"} {
			b.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}))
		}
	}
	for name, primary := range map[string]string{"apps/db": "east", "shop/db": "east", "shop/web": "west", "shop/cart": "none"} {
		ns, group, _ := strings.Cut(name, "/")
		for at, c := range map[string]client.Client{"east": b.east, "west": b.west} {
			if primary == at {
				b.groupIn(c, ns, group, vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
			} else {
				b.groupIn(c, ns, group, vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
			}
		}
	}
	before := b.everything()
	for name, tc := range map[string]struct {
		args []string
		code int
		// shows and hides are in what is printed, or not.
		shows, hides []string
	}{
		"all groups of a site": {
			[]string{"failover", "--from", "east", "-A", "--dry-run=client"},
			2,
			[]string{"planned failover from east to west: 2 groups, 2 PVCs", "  apps/db  csi-addons", "  shop/db  csi-addons", "it is not certain which site is primary, so --from east leaves the group as it is", "primary on east, and stay as they are: 1"},
			[]string{"shop/web:"},
		},
		"of one namespace": {[]string{"failover", "--from", "east", "-n", "apps", "--dry-run=client"}, 2, []string{"apps/db: planned failover from east to west"}, []string{"shop/"}},
		"of the other site": {
			[]string{"failover", "--from", "west", "-A", "-l", "group=web", "--dry-run=client"},
			2,
			[]string{"shop/web: planned failover from west to east"},
			[]string{"apps/", "shop/db:"},
		},
		"with the context of the other site": {
			[]string{"failover", "--from", "east", "-A", "-l", "group=db", "--context", "west", "--peer-context", "east", "--dry-run=client"},
			2,
			[]string{"planned failover from east to west: 2 groups, 2 PVCs", "  apps/db  csi-addons", "  shop/db  csi-addons"},
			[]string{"shop/web:"},
		},
		"nothing is left":             {[]string{"failover", "--from", "east", "-A", "-l", "group=web", "--yes"}, 0, []string{"no group is primary on east"}, nil},
		"nothing to take back":        {[]string{"failover", "--from", "east", "-A", "-l", "group=web", "--abort", "--yes"}, 0, []string{"no operation that moves a group away from east is in flight"}, nil},
		"validate":                    {[]string{"validate", "--from", "east", "-A"}, 4, []string{"apps/db from east to west", "shop/db from east to west", "shop/cart", "it is not certain which site is primary", "refused for 3 of 3 groups"}, []string{"shop/web"}},
		"no such site":                {[]string{"failover", "--from", "north", "-A", "--yes"}, 1, []string{"--from north: that is neither of the two sites"}, nil},
		"one site twice":              {[]string{"failover", "--from", "east", "--to", "east", "-A", "--yes"}, 1, []string{"--from and --to name the same site"}, nil},
		"names and a site":            {[]string{"failover", "db", "--from", "east", "--yes"}, 1, []string{"names and --from cannot be used together"}, nil},
		"all namespaces and no group": {[]string{"failover", "-A", "--to", "west", "--yes"}, 1, []string{"name groups, or use -l or --all"}, nil},
		"all journals of a site":      {[]string{"failover", "--from", "east", "-A", "--discard-journal"}, 1, []string{"--discard-journal cannot be combined"}, nil},

		"named with its namespace":     {[]string{"status", "apps/db"}, 0, []string{"apps/db"}, []string{"shop/db"}},
		"as -o name prints it":         {[]string{"status", "volumegroupreplication.replication.unified.io/db", "-n", "shop"}, 0, []string{"shop/db"}, []string{"apps/db"}},
		"in several namespaces":        {[]string{"list", "apps/db", "shop/web"}, 0, []string{"apps", "shop", "db", "web"}, []string{"cart"}},
		"moved in several namespaces":  {[]string{"failover", "apps/db", "shop/db", "--to", "west", "--dry-run=client"}, 2, []string{"planned failover from east to west: 2 groups, 2 PVCs", "  apps/db  csi-addons", "  shop/db  csi-addons"}, nil},
		"a history":                    {[]string{"history", "shop/web"}, 0, []string{"shop/web has not been moved"}, nil},
		"not there":                    {[]string{"status", "apps/web"}, 2, []string{"no group web in namespace apps", "namespace shop"}, nil},
		"not there, in several":        {[]string{"list", "apps/web", "shop/db"}, 2, []string{"no group apps/web", "namespace shop"}, nil},
		"in another namespace than -n": {[]string{"status", "apps/db", "-n", "shop"}, 1, []string{"apps/db is not in the namespace of -n, shop"}, nil},
		"no name behind the namespace": {[]string{"status", "apps/"}, 1, []string{`"apps/" is not the name of a group`}, nil},
		"names and all namespaces":     {[]string{"failover", "db", "-A", "--to", "west", "--yes"}, 1, []string{"names and -A cannot be used together"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.vgr(append([]string{"--peer-context", "west"}, tc.args...)...)
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d", r.code, tc.code)
			}
			all := r.out + r.errOut
			for _, text := range tc.shows {
				if !strings.Contains(all, text) {
					t.Errorf("does not say %q", text)
				}
			}
			for _, text := range tc.hides {
				if strings.Contains(all, text) {
					t.Errorf("says %q", text)
				}
			}
			if t.Failed() {
				t.Log(all)
			}
		})
	}
	if after := b.everything(); len(after) != len(before) {
		t.Errorf("%d objects, and %d before", len(after), len(before))
	} else {
		for name, version := range before {
			if after[name] != version {
				t.Errorf("%s was changed", name)
			}
		}
	}
}
