// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package recovery_test

// raceEnabled reports whether the race detector is on.
const raceEnabled = false
