// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"testing"
	"time"
)

// TestDelay: a chunk is late when one of its packets is lost, by one retransmission.
func TestDelay(t *testing.T) {
	const rtt, late = 300 * time.Millisecond, 150*time.Millisecond + 300*time.Millisecond + minimumRTO
	for name, tc := range map[string]struct {
		loss  float64
		bytes int
		// draws of the packets, in order; more must not be asked for.
		draws []float64
		want  time.Duration
	}{
		"no loss":               {0, 100, nil, rtt / 2},
		"one packet arrives":    {0.01, 100, []float64{0.01}, rtt / 2},
		"one packet is lost":    {0.01, 100, []float64{0.009}, late},
		"the second of two":     {0.01, segment + 1, []float64{0.5, 0}, late},
		"a full packet is one":  {0.01, segment, []float64{0.5}, rtt / 2},
		"two losses, one delay": {0.5, 3 * segment, []float64{0.1, 0.1, 0.1}, late},
		"bounded":               {0.01, 100 * segment, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, rtt / 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Proxy{}
			p.draw = func() float64 {
				next := tc.draws[0]
				tc.draws = tc.draws[1:]
				return next
			}
			p.SetRTT(rtt)
			if err := p.SetLoss(tc.loss); err != nil {
				t.Fatal(err)
			}
			if got := p.delay(tc.bytes); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
	for _, wrong := range []float64{-0.1, 1} {
		if err := (&Proxy{}).SetLoss(wrong); err == nil {
			t.Errorf("a loss of %v is accepted", wrong)
		}
	}
}
