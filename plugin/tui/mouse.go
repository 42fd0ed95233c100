// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	tea "charm.land/bubbletea/v2"
)

// wheelLines is how far one turn of the wheel moves a text.
const wheelLines = 3

// mouseMode returns whether the terminal tells clicks. It selects text while there is some to be copied: what a command says,
// or a note; and for as long as the user wants that.
func (m *Model) mouseMode() tea.MouseMode {
	if m.noMouse || m.console.open() || m.note != "" {
		return tea.MouseModeNone
	}
	return tea.MouseModeCellMotion
}

// freeMouse gives the mouse to the terminal, or takes it back.
func (m *Model) freeMouse() string {
	if m.noMouse = !m.noMouse; m.noMouse {
		return "The mouse selects text in the terminal now. m makes it select groups again."
	}
	return ""
}

// pointed is a click or a turn of the wheel on what is there: a group, a tab, a text.
func (m *Model) pointed(msg tea.MouseMsg) {
	at := msg.Mouse()
	by := map[tea.MouseButton]int{tea.MouseWheelUp: -1, tea.MouseWheelDown: 1}[at.Button]
	_, clicked := msg.(tea.MouseClickMsg)
	x, y := at.X, at.Y-len(m.head())
	switch {
	case m.console.open():
		m.console.scroll(by * wheelLines)
	case m.help && by != 0:
		m.turnHelp(map[int]string{-1: "k", 1: "j"}[by])
	case m.help, y < 0, at.Y >= m.height-len(m.foot()), len(m.list.shown.Groups) == 0:
	case m.alone:
		m.onDetail(x, y, by, clicked && at.Button == tea.MouseLeft)
	default:
		m.onParts(x, y, by, clicked && at.Button == tea.MouseLeft)
	}
}

// onParts finds the part of the screen that a place belongs to.
func (m *Model) onParts(x, y, by int, clicked bool) {
	dx, dy := 0, len(m.list.view())+1
	beside := m.width >= wide
	if beside {
		dx, dy = m.list.width+2, 0
	}
	switch {
	case beside && x >= dx, !beside && y >= dy:
		m.onDetail(x-dx, y-dy, by, clicked)
	case by != 0:
		m.list.chosen = true
		m.list.moveTo(m.list.row + by)
	case clicked && y > 0 && m.list.top+y-1 < len(m.list.shown.Groups):
		m.list.chosen, m.focused = true, false
		m.list.moveTo(m.list.top + y - 1)
	}
}

func (m *Model) onDetail(x, y, by int, clicked bool) {
	if t, ok := m.detail.tabAt(x, y); ok && clicked {
		m.detail.choose(t)
	}
	m.detail.scroll(by * wheelLines)
}
