// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"encoding/json"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// FuzzScreen: whatever the groups are like, whatever is typed and however small the terminal is, the
// frame fits.
func FuzzScreen(f *testing.F) {
	add := func(keys string, width, height uint8) {
		groups, err := json.Marshal([]any{group("orders", "Primary", 0), group("evil\x1b[2J\u202e", "Secondary", 0), group("データベース", "Primary", 0)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(groups, "west", keys, width, height, false)
		f.Add(groups, "BACKEND", keys, width, height, true)
	}
	add("jk\tG\rjo", 80, 24)
	add("/ord\r f\rorders\r", 100, 30)
	add("/-l tier=(\x1bzsS??", 40, 8)
	add("/\u009b2J\u202e", 200, 60)
	add("  fbpdrvhy", 120, 40)
	add("h\x1b", 1, 1)
	add("\x035\x043\x03?\x04\x1bv\x04m", 100, 30)
	f.Fuzz(func(t *testing.T, data []byte, site, keys string, width, height uint8, ascii bool) {
		in := []overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}}, {Site: overview.Site{Name: site, Answered: !ascii, Message: site}}}
		if json.Unmarshal(data, &in[0].Groups) != nil || len(keys) > 40 || len(in[0].Groups) > 20 {
			return
		}
		style := present.Style{Color: ascii, Unicode: true}
		size := tea.WindowSizeMsg{Width: int(width), Height: int(height)}
		o := overview.Build(in, now)
		m := screen(t, tui.Options{Style: style, Title: site, Namespaces: ascii, Run: (&recorder{says: site}).run}, size, o)
		for _, k := range keys {
			msg := tea.Msg(tea.KeyPressMsg{Code: k, Text: string(k)})
			switch k {
			case '\r', '\t', '\x1b':
				msg = tea.KeyPressMsg{Code: k}
			case ' ':
				msg = press("space")
			case '\x00':
				msg = tui.Overview(o)
			case '\x01':
				msg = tea.WindowSizeMsg{Width: int(height), Height: int(width)}
				size = msg.(tea.WindowSizeMsg)
			case '\x03', '\x04':
				at := tea.Mouse{X: len(site) % (int(width) + 1), Y: int(height) / 2, Button: tea.MouseLeft}
				if msg = tea.MouseClickMsg(at); k == '\x04' {
					at.Button = tea.MouseWheelDown
					msg = tea.MouseWheelMsg(at)
				}
			case '\x02':
				msg = tea.PasteMsg{Content: site}
			}
			m = drive(m, msg)
			frame := content(m)
			fits(t, "after "+strings.ToValidUTF8(string(k), "?"), frame, size, style)
		}
	})
}
