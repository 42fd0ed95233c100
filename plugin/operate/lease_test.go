// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"errors"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWaiting: what a Lease says of itself can make us wait for as long as our own lasts, and no longer. One that
// is seen to be renewed is held.
func TestWaiting(t *testing.T) {
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	at := func(seconds int) *metav1.MicroTime {
		return new(metav1.NewMicroTime(start.Add(time.Duration(seconds) * time.Second)))
	}
	forever := at(73 * 365 * 24 * 3600) // 2099
	const free, waits, holds = "free", "waits", "held"
	type look struct {
		at      int
		holder  string
		renewed *metav1.MicroTime
		want    string
	}
	for name, tc := range map[string]struct {
		duration *int32
		looks    []look
	}{
		"expired long ago":                     {new(int32(15)), []look{{0, "a", at(-16), free}}},
		"one that lives":                       {new(int32(15)), []look{{0, "a", at(-1), waits}, {5, "a", at(4), holds}}},
		"one whose holder is gone":             {new(int32(15)), []look{{0, "a", at(-1), waits}, {13, "a", at(-1), waits}, {14, "a", at(-1), free}}},
		"one that says it lasts for 68 years":  {new(int32(2147483647)), []look{{0, "a", at(-1), waits}, {14, "a", at(-1), free}}},
		"renewed in 2099":                      {new(int32(15)), []look{{0, "a", forever, waits}, {14, "a", forever, waits}, {15, "a", forever, free}}},
		"both":                                 {new(int32(2147483647)), []look{{0, "a", forever, waits}, {15, "a", forever, free}}},
		"renewed in 2099, again and again":     {new(int32(15)), []look{{0, "a", forever, waits}, {1, "a", new(metav1.NewMicroTime(forever.Add(time.Second))), holds}}},
		"says nothing of a time":               {new(int32(15)), []look{{0, "a", nil, waits}, {1, "a", nil, waits}, {15, "a", nil, free}}},
		"says nothing at all":                  {nil, []look{{0, "a", nil, waits}, {15, "a", nil, free}}},
		"no time, and then one":                {nil, []look{{0, "a", nil, waits}, {1, "a", at(1), holds}}},
		"no duration":                          {nil, []look{{0, "a", at(0), waits}, {15, "a", at(0), free}}},
		"a duration of nothing":                {new(int32(0)), []look{{0, "a", at(0), free}}},
		"a negative one":                       {new(int32(-2147483648)), []look{{0, "a", at(0), free}}},
		"another holder is another Lease":      {new(int32(15)), []look{{0, "a", at(-1), waits}, {5, "b", at(5), waits}, {20, "b", at(5), free}}},
		"another holder that lives":            {new(int32(15)), []look{{0, "a", at(-1), waits}, {5, "b", at(5), waits}, {10, "b", at(10), holds}}},
		"the holder's clock is 10 s behind":    {new(int32(15)), []look{{0, "a", at(-10), waits}, {5, "a", at(-5), holds}}},
		"the holder's clock is 1 min ahead":    {new(int32(15)), []look{{0, "a", at(60), waits}, {15, "a", at(60), free}}},
		"the year 1":                           {new(int32(15)), []look{{0, "a", &metav1.MicroTime{}, free}}},
		"ours is the cap also for a short one": {new(int32(5)), []look{{0, "a", at(0), waits}, {5, "a", at(0), free}}},
	} {
		t.Run(name, func(t *testing.T) {
			var w waiting
			for _, l := range tc.looks {
				obj := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "vgr-db"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &l.holder, RenewTime: l.renewed, LeaseDurationSeconds: tc.duration}}
				// Our own clock is another one than the cluster's, and is only compared with itself.
				err := w.look("east", obj, at(l.at).Time, at(l.at).Add(-time.Hour))
				got := waits
				switch {
				case err == nil:
					got = free
				case errors.As(err, new(*held)):
					got = holds
				}
				if got != l.want {
					t.Fatalf("after %d s: %s, want %s: %v", l.at, got, l.want, err)
				}
				if err != nil && !strings.Contains(err.Error(), l.holder) || err != nil && l.renewed != nil && !strings.Contains(err.Error(), l.renewed.UTC().Format(time.RFC3339)) {
					t.Errorf("holder and date are not in %q", err)
				}
			}
		})
	}
}
