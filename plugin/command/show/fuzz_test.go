// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// FuzzFrame: a picture has no more lines than the terminal.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{"", "one", "one\ntwo\n", "\n\n\n\n\n\n\n\n\n\n\n\n\n", "\x00", "名\n前"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if picture := frame(text, time.Time{}, 10); strings.Count(picture, "\r\n") > 9 {
			t.Errorf("%d lines of 10", strings.Count(picture, "\r\n")+1)
		}
	})
}

// FuzzColumns: any paths over any group are columns, or an error.
func FuzzColumns(f *testing.F) {
	groups := `[{"namespace":"production","name":"a","verdict":{"phase":"Protected"},"sites":[{"site":"east","conditions":[{"type":"Ready","status":"True"}]},{"site":"west"}]}]`
	for _, spec := range []string{
		"GROUP:.name,HEALTH:.verdict.phase", "A:{.sites[*].site}", "A:{range .sites[*]}{.site}{end}", "A:.sites[?(@.site==\"east\")].site", "A:.sites[-1:0:2]", "A:..", "A:{end}", "A:{range}", "A:.sites[0:9:-1]",
		"A:{", "A:{.name}}", "A:.sites[?(@.site>1)]", "A:{'x'}", "A:.verdict['phase','x']", "A:.sites[99]", "A:.name.x", "A:*", "A:{.sites[0].conditions[?(@.type=='Ready')].status}",
	} {
		f.Add(spec, []byte(groups))
	}
	f.Fuzz(func(t *testing.T, spec string, data []byte) {
		var all []overview.Group
		if json.Unmarshal(data, &all) != nil {
			return
		}
		var out bytes.Buffer
		if err := customColumns(&out, spec, all); err != nil {
			return
		}
		if lines := strings.Count(out.String(), "\n"); lines < len(all)+1 {
			t.Errorf("%d lines for %d groups:\n%s", lines, len(all), out.String())
		}
	})
}
