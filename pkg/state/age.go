// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// skew is how far the clocks of one site, its storage and its API server may be apart without a word.
const skew = 5 * time.Second

// Age returns how long ago a backend's time was by the clock of the site that reports it. It is not known without
// a time, for the epoch, with which drivers say that there was none yet, and for a time to come.
func Age(now time.Time, t *metav1.Time) (time.Duration, bool) {
	if !Happened(t) || Ahead(now, t) > 0 {
		return 0, false
	}
	return max(0, now.Sub(t.Time)), true
}

// Happened reports whether a time stands for something that has happened. Drivers report the epoch when
// nothing has.
func Happened(t *metav1.Time) bool { return t != nil && t.Unix() > 0 }

// Ahead returns how far a backend's time is ahead of the clock of the site that reports it: the two clocks differ
// by that at least. It is 0 for a small difference, which is usual.
func Ahead(now time.Time, t *metav1.Time) time.Duration {
	if t == nil || t.Sub(now) <= skew {
		return 0
	}
	return t.Sub(now)
}

// Apart says how a backend's time is ahead of the clock of the site that reports it; empty when it is not.
func Apart(site string, now time.Time, t *metav1.Time) string {
	ahead := Ahead(now, t)
	if ahead == 0 {
		return ""
	}
	return fmt.Sprintf("the clocks differ by %s: the storage of %s reports a synchronisation at %s, and there it is %s; how old it is cannot be known",
		ahead.Truncate(time.Second), site, t.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// Lateness judges the age of the last synchronisation by the schedule.
type Lateness int

// Levels of lateness.
const (
	InTime  Lateness = iota
	Late             // older than twice the schedule and ReportDelay
	TooLate          // older than three times the schedule and ReportDelay
)

// ReportDelay is how long after a synchronisation a backend may tell of it, beside its own poll, which comes once in a
// schedule: what Ceph's daemons tell is up to 30 s old.
const ReportDelay = 30 * time.Second

// Lag judges an age by a schedule; without a schedule everything is in time. A healthy pair shows ages of up to a
// schedule, a poll and the delay.
func Lag(age, schedule time.Duration) Lateness {
	switch {
	case schedule <= 0 || age <= 2*schedule+ReportDelay:
		return InTime
	case age <= 3*schedule+ReportDelay:
		return Late
	default:
		return TooLate
	}
}

// longestInterval is such that three of it, where a lag becomes a problem, are a duration still.
const longestInterval = time.Duration(math.MaxInt64 / 3)

// Interval reads how often a class has the storage synchronise: a Go duration, which may begin with days, of
// a second at least. 5m, 300s, 1h30m, 1d and 1d12h are intervals. Backends may accept fewer forms; what they
// accept means the same here.
func Interval(text string) (time.Duration, bool) {
	rest, days := text, time.Duration(0)
	if count, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 32)
		if err != nil || time.Duration(n) > longestInterval/(24*time.Hour) {
			return 0, false
		}
		rest, days = after, time.Duration(n)*24*time.Hour
	}
	if rest == "" && days > 0 {
		return days, true
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > longestInterval-days || strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") {
		return 0, false
	}
	if d += days; d < time.Second {
		return 0, false
	}
	return d, true
}
