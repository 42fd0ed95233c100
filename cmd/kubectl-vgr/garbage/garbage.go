// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package garbage, when imported, lets the first collection wait until there are 16 MB of heap instead of 4, which most
// commands never have: it is a fifth of their time. With it Go's own pace is back, so that large lists need no more
// memory than before. Where GOGC is set nothing is done.
//
// The collection is due before main begins. Go initialises packages by their paths as far as their imports allow, so
// this one comes before those of k8s.io as long as it imports nothing but the standard library.
package garbage

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

func init() { //nolint:gochecknoinits // see the package
	if os.Getenv("GOGC") == "" {
		wait()
	}
}

func wait() {
	debug.SetGCPercent(later)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
