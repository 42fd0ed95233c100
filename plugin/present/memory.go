// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// Remembered returns what was last seen of a group on a site that does not answer, with its time.
func Remembered(r *overview.Remembered, o overview.Overview) string {
	text := fmt.Sprintf("%s ago, at %s: %s", ago(r, o), r.SeenAt.UTC().Format(time.RFC3339), Clean(string(cmp.Or(r.State, vgrv1.StateUnknown))))
	if r.LastSyncTime != nil {
		text += ", last sync " + r.LastSyncTime.UTC().Format(time.RFC3339)
	}
	return text
}

// ago returns how old what is remembered is.
func ago(r *overview.Remembered, o overview.Overview) string {
	return duration.HumanDuration(max(0, o.ObservedAt.Sub(r.SeenAt.Time)))
}
