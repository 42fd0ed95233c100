// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
)

// FuzzFlags: what is typed behind a flag, or written in an annotation, is understood or refused.
func FuzzFlags(f *testing.F) {
	for _, seed := range []string{"", "10m", "1h30m", "unknown", "-5m", "0s", "9999999999h", "-1", "+7", "99999999999999999999", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		loss, err := (&failover{unplanned: true, to: "west", accept: text}).loss()
		if accepted := loss.Unknown || loss.Age > 0; accepted != (err == nil && text != "") || loss.Age < 0 {
			t.Errorf("--accept-data-loss %q: %+v, %v", text, loss, err)
		}
		g := &vgrv1.VolumeGroupReplication{}
		g.Annotations = map[string]string{vgrv1.AnnotationWave: text}
		if n, err := operate.WaveOf(recovery.Pair{Sites: [2]recovery.Site{{}, {Group: g}}}); err != nil && n != 0 || text == "" && err != nil {
			t.Errorf("wave %q: %d, %v", text, n, err)
		}
	})
}
