// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

// What a terminal understands.
const (
	EnterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	LeaveScreen = "\x1b[?25h\x1b[?1049l"
	Home        = "\x1b[H"
	ClearLine   = "\x1b[K"
	ClearBelow  = "\x1b[J"
	CtrlC       = 0x03
)
