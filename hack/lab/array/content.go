// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// content is what a copy of an image holds: which of the image's writes, all numbered in the order
// they were acknowledged on whichever site. Two copies that went different ways share a beginning.
type content []span

// span is a run of consecutive writes, both ends included.
type span struct{ first, last int64 }

// with returns the content after the writes of s, which are newer than all it has.
func (c content) with(s span) content {
	out := slices.Clone(c)
	if n := len(out); n > 0 && out[n-1].last+1 == s.first {
		out[n-1].last = s.last
		return out
	}
	return append(out, s)
}

func (c content) count() int64 {
	var n int64
	for _, s := range c {
		n += s.last - s.first + 1
	}
	return n
}

// identifier returns a stable string in the form of a UUID.
func identifier(kind string, now time.Time, serial int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", kind, now.UnixNano(), serial))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
