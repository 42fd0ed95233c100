// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// harmless checks that text, but for its line ends, moves nothing and hides nothing.
func harmless(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			t.Fatalf("%q has %q", text, r)
		}
	}
}

// FuzzClean: whatever the API holds, what is printed stays on its line and moves nothing.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"plain", "two\nlines", "\x1b[31mred", "\u202eturned", "\xff\xfe", "\x00", "名前", "a\u200db", "a\u2028b\u2029c", "\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := Clean(text)
		if harmless(t, clean); strings.Contains(clean, "\n") {
			t.Errorf("%q is on several lines", clean)
		}
		if again := Clean(clean); again != clean {
			t.Errorf("%q became %q", clean, again)
		}
	})
}

// FuzzWidth: what is shortened, wrapped or put into a table is no wider than it may be.
func FuzzWidth(f *testing.F) {
	f.Add("データベース of the shop", "a", "x", uint8(10), true)
	f.Add("plain", "\x1b[31mred", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", uint8(40), false)
	f.Add("👩‍👩‍👧‍👦🏳️‍🌈👍🏽👍🏽👍🏽", "한국어한국어한국어", "กำกำกำกำ", uint8(30), true)
	f.Fuzz(func(t *testing.T, a, b, c string, limit uint8, color bool) {
		s := Style{Color: color, Unicode: color, Width: int(limit)}
		a, b, c = Clean(a), Clean(b), Clean(c)
		// A mark without its letter joins with what comes before it, and is counted in two ways.
		marks := strings.ContainsFunc(a+b+c, func(r rune) bool { return unicode.Is(unicode.M, r) || r >= 0x1f3fb && r <= 0x1f3ff })
		for _, text := range []string{a, b, c, s.paint(red, a) + s.paint(green, b)} {
			if got := s.shorten(text, int(limit)); limit > 0 && (limit >= 8 || !marks) && ansi.StringWidth(got) > int(limit) {
				t.Errorf("%q has %d columns of %d", got, ansi.StringWidth(got), limit)
			}
		}
		if marks {
			return
		}
		longest := 0
		for word := range strings.FieldsSeq(a) {
			longest = max(longest, ansi.StringWidth(word))
		}
		for _, text := range []string{s.wrap("  ", a), s.Hang("lead: ", a)} {
			for line := range strings.SplitSeq(text, "\n") {
				if w := ansi.StringWidth(line); s.Width > 30 && w > max(s.Width, longest+6) {
					t.Errorf("%q has %d columns of %d", line, w, limit)
				}
			}
		}
		var out bytes.Buffer
		if err := Rows(&out, s, []string{"A", "B", "C"}, [][]string{{a, b, s.paint(red, c)}, {c, a, b}}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); limit > 0 && w > max(int(limit), 3*8+4) {
				t.Errorf("%q has %d columns of %d", line, w, limit)
			}
		}
		if rows := strings.Count(out.String(), "\n"); rows != 3 {
			t.Errorf("%d lines:\n%s", rows, out.String())
		}
	})
}

// FuzzScreens: nothing that an object or a journal holds gets to the terminal as it is, and a table of
// groups fits.
func FuzzScreens(f *testing.F) {
	group := `[{"metadata":{"namespace":"production","name":"orders","generation":1,"annotations":{"replication.unified.io/operation":
		"{\"id\":\"1\",\"kind\":\"planned\",\"from\":{\"name\":\"east\"},\"to\":{\"name\":\"west\"},\"steps\":[{\"id\":\"promote\",\"finished\":\"2026-01-31T03:00:00.000000Z\"}],\"stopped\":[{\"name\":\"x\"}],\"volumeSyncs\":[{\"name\":\"d\"}],\"result\":\"done\"}"}},
		"spec":{"replicationState":"STATE","volumeGroupReplicationClass":"gold"},"status":{"state":"State","backend":"csi-addons","observedGeneration":1,"lastSyncTime":"2026-01-31T02:56:00Z","stateSince":"2026-01-31T02:00:00Z","message":"m",
		"conditions":[{"type":"Ready","status":"True","reason":"Promoted","message":"m","observedGeneration":1,"lastTransitionTime":"2026-01-31T02:56:00Z"}],"volumes":[{"name":"data","volumeHandle":"0001","state":"State","health":"Healthy"}]}}]`
	of := func(state string) []byte {
		return []byte(strings.NewReplacer("STATE", strings.ToLower(state), "State", state).Replace(group))
	}
	// The same with something nasty in each field that is a text.
	nasty := strings.NewReplacer("STATE", `s\u001b[2J`, "State", `S\u001b[2J\u2028`, "planned", `p\\u001b[2J`, "promote", `\\u001b[2J`, `"1\"`, `"\\u001b\"`, "east", `\\u001b[2J`, "csi-addons", `\u001b`,
		"gold", `\u001b`, "production", `\u001b`, "orders", `\u202e`, `"m"`, `"\u001b\n"`, "Promoted", `\u001b`, `"True"`, `"\u001b"`, "data", `\u001b`, "0001", `\u001b`, "Healthy", `\u001b[2J`).Replace(group)
	conditions := strings.ReplaceAll(nasty, `"Ready"`, `"\u001b[2J"`)
	for _, width := range []uint8{0, 80, 200} {
		f.Add(of("Primary"), of("Secondary"), "east", "west", "5m", width)
		f.Add([]byte(nasty), []byte(conditions), "\x1b]0;x\x07", "backend", "1d", width)
	}
	f.Add(of("Primary"), of("Primary"), "pvcs", "last sync", "2147483647d", uint8(80))
	f.Add(of("Primary"), of("Primary"), "east", "backend", "5m", uint8(40))
	f.Fuzz(func(t *testing.T, east, west []byte, here, there, interval string, width uint8) {
		now := time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)
		var class vgrv1.VolumeGroupReplicationClass
		class.Name, class.Spec.Parameters = "gold", map[string]string{"schedulingInterval": interval}
		in := []overview.SiteInput{
			{Site: overview.Site{Name: here, Answered: true, Message: there}, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
			{Site: overview.Site{Name: there, Answered: width%2 == 0, Message: here}},
		}
		if json.Unmarshal(east, &in[0].Groups) != nil || json.Unmarshal(west, &in[1].Groups) != nil {
			return
		}
		o, s := overview.Build(in, now), Style{Unicode: true, Width: int(width)}
		var table, all bytes.Buffer
		for _, err := range []error{Table(&table, o, s, true, false), Table(&all, o, s, true, true), Status(&all, o, s, false), Status(&all, o, s, true)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		Notes(&all, o, s)
		groups := NewGroups(o, s, true)
		lines := append(strings.Split(table.String(), "\n"), groups.Head())
		for i, g := range o.Groups {
			lines = append(lines, groups.Line(i))
			text, err := YAML(s, g)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(strings.Join(text, "\n") + LagBar(s, g) + LagCurve(s, []*int64{nil, g.LagSeconds}))
			if ops, err := g.Timeline(); err == nil {
				History(&all, ops)
			}
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); s.Width >= 80 && w > s.Width {
				t.Errorf("%d columns of %d: %q", w, s.Width, line)
			}
		}
		harmless(t, table.String()+strings.Join(lines, "\n")+all.String())
	})
}

// FuzzIndented: what json.Marshal has written is laid out as json.Indent does it.
func FuzzIndented(f *testing.F) {
	for _, seed := range []string{`{"a":[],"b":{},"c":[1,{"d":"x\"{\\"}],"e":null}`, `""`, `[[{}]]`, `{"a b":true,"":-1e9,"\\":["]",",",":"]}`, `"\u2028"`} {
		f.Add([]byte(seed), "\t")
	}
	f.Fuzz(func(t *testing.T, data []byte, prefix string) {
		var compact, want bytes.Buffer
		if json.Compact(&compact, data) != nil {
			return
		}
		if err := json.Indent(&want, compact.Bytes(), prefix, "    "); err != nil {
			t.Fatal(err)
		}
		if got := indented(compact.Bytes(), prefix); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s became\n%s\nnot\n%s", compact.Bytes(), got, want.Bytes())
		}
	})
}
