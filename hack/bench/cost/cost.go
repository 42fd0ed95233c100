// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package cost is what one run of a program costs, by the operating system's own account.
package cost

import "time"

// Cost of one run.
type Cost struct {
	// Wall is from the start to the end, First until something was printed.
	Wall  time.Duration `json:"wall"`
	First time.Duration `json:"first"`
	// CPU is that of user and system together.
	CPU time.Duration `json:"cpu"`
	// Memory is the peak of the resident set, in bytes.
	Memory int64 `json:"memory"`
	// Out is what was printed, in bytes.
	Out  int64 `json:"out"`
	Code int   `json:"code"`
}
