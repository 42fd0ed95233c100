// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package gctuning has the first collection wait until there are 16 MB of heap instead of 4, which most commands never
// have: it would be a fifth of their time. With it Go's own pace is back, so that large lists need no more memory. Where
// GOGC is set nothing is done.
//
// The collection is due before main begins. Go initialises packages by their paths as far as their imports allow, so
// this one comes before what allocates most, the scheme of client-go, as long as it imports nothing but the standard
// library. TestGarbage sees to it.
package gctuning

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Percentages of garbage to what is in use. Go begins as if 4 MB were.
const (
	later = 400
	usual = 100
)

func init() {
	if os.Getenv("GOGC") == "" {
		wait()
	}
}

func wait() {
	debug.SetGCPercent(later)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
