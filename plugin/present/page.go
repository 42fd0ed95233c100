// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Stamp is a time as the pages have it: in UTC, which both sites have in common. It takes what their templates hold.
func Stamp(v any) string {
	var t time.Time
	switch at := v.(type) {
	case time.Time:
		t = at
	case metav1.Time:
		t = at.Time
	case *metav1.Time:
		if at != nil {
			t = at.Time
		}
	case metav1.MicroTime:
		t = at.Time
	case *metav1.MicroTime:
		if at != nil {
			t = at.Time
		}
	}
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// Span is so many seconds; unknown when they are.
func Span(seconds *int64) string {
	if seconds == nil {
		return "unknown"
	}
	return (time.Duration(*seconds) * time.Second).String()
}
