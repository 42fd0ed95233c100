// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Loss is how far back data may be lost: a time, or a time that cannot be known. The zero value is
// none at all.
type Loss struct {
	Unknown bool
	Age     time.Duration
}

// String implements fmt.Stringer.
func (l Loss) String() string {
	switch {
	case l.Unknown:
		return "unknown"
	case l.Age > 0:
		return l.Age.String()
	default:
		return ""
	}
}

// LossOf returns how much would be lost if the source were lost now, as far as it is known: the time
// since the last synchronisation by the clock of the site that reports it.
func LossOf(from, to *Site) (Loss, *metav1.Time) {
	for _, s := range []*Site{from, to} {
		if s == to && s.state() == vgrv1.StatePrimary {
			continue // that is a time of what it sends, not of what it has received
		}
		if s.Group == nil {
			continue
		}
		last := s.Group.Status.LastSyncTime
		if age, known := state.Age(s.Now, last); known { // not of a time to come, or of none yet
			return Loss{Age: age}, last
		}
	}
	return Loss{Unknown: true}, nil
}

// acceptable compares the loss that is accepted with the one that is to be expected.
func acceptable(from, to *Site, accept Loss) *Stop {
	loss, _ := LossOf(from, to)
	lost := lostWords(from, to)
	switch {
	case accept.Unknown:
		return nil
	case accept.Age <= 0:
		return stopf(Refused, "add --accept-data-loss "+accepts(loss), "an unplanned failover loses the writes that were not replicated: %s", lost)
	case loss.Unknown:
		return stopf(Refused, "--accept-data-loss unknown accepts that", "a loss within %s cannot be confirmed: %s", accept.Age, lost)
	case loss.Age > accept.Age:
		return stopf(Refused, fmt.Sprintf("--accept-data-loss %s accepts that", accepts(loss)), "more than %s would be lost: %s", accept.Age, lost)
	default:
		return nil
	}
}

// accepts returns a value of --accept-data-loss that is enough, also a minute later.
func accepts(loss Loss) string {
	if loss.Unknown {
		return "unknown"
	}
	return (loss.Age.Round(time.Second) + time.Minute).String()
}

// unknownLoss returns why it is not known how much would be lost.
func unknownLoss(from, to *Site) string {
	if apart := clocksApart(from, to); apart != "" {
		return apart
	}
	return "the time of the last synchronisation is not known; only the source has it"
}

// clocksApart says how the time that a site reports is to come by its clock; empty when none is.
func clocksApart(from, to *Site) string {
	for _, s := range []*Site{from, to} {
		if s.Group == nil || s == to && s.state() == vgrv1.StatePrimary {
			continue
		}
		if apart := state.Apart(s.Name, s.Now, s.Group.Status.LastSyncTime); apart != "" {
			return apart
		}
	}
	return ""
}

// lostWords says what would be lost if the source were lost now.
func lostWords(from, to *Site) string {
	loss, last := LossOf(from, to)
	if loss.Unknown {
		return unknownLoss(from, to)
	}
	return lossWords(loss, last)
}

func lossWords(l Loss, last *metav1.Time) string {
	return fmt.Sprintf("what was written after %s, which is %s ago", last.UTC().Format(time.RFC3339), l.Age.Round(time.Second))
}

// volumeSyncs returns the PVCs that were last synchronised at another time than the group, as the site
// that loses them says, or else the target.
func volumeSyncs(loses, to *Site, last *metav1.Time) []VolumeSync {
	site := loses
	if site.Group == nil {
		site = to
	}
	var out []VolumeSync
	for _, v := range site.Group.Status.Volumes {
		if !v.LastSyncTime.Equal(last) {
			out = append(out, VolumeSync{v.Name, v.LastSyncTime})
		}
	}
	return out
}
