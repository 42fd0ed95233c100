// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// FuzzFlags: what is typed behind a flag is understood, or refused.
func FuzzFlags(f *testing.F) {
	for _, seed := range []string{"", "10m", "1h30m", "unknown", "-5m", "0s", "9999999999h", "app=db", "app in (a,b),!c", "app=(", "-1", "+7", "99999999999999999999", "\x00", "名=前"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		loss, err := (&failover{unplanned: true, to: "west", accept: text}).loss()
		if accepted := loss.Unknown || loss.Age > 0; accepted != (err == nil && text != "") || loss.Age < 0 {
			t.Errorf("--accept-data-loss %q: %+v, %v", text, loss, err)
		}
		g := &vgrv1.VolumeGroupReplication{}
		g.Annotations = map[string]string{vgrv1.AnnotationWave: text}
		if n, err := waveOf(recovery.Pair{Sites: [2]recovery.Site{{}, {Group: g}}}); err != nil && n != 0 || text == "" && err != nil {
			t.Errorf("wave %q: %d, %v", text, n, err)
		}
		e := &Env{Sites: &site.Connector{Flags: genericclioptions.NewConfigFlags(false)}}
		*e.Sites.Flags.Namespace = "production"
		q, err := (&selection{selector: text}).query(e, nil, true)
		if (err == nil) != (text != "" && q.Selector != nil) {
			t.Errorf("-l %q: %v, %v", text, q.Selector, err)
		}
		made, err := (&creation{class: "gold", selector: text, state: "primary"}).wanted("production", name)
		if (err == nil) != (made != nil) || made != nil && (made.Spec.Selector == nil || len(made.Name) > 63) {
			t.Errorf("-l %q makes %+v, %v", text, made, err)
		}
		if picture := frame(text, time.Time{}, 10); strings.Count(picture, "\r\n") > 9 {
			t.Errorf("%d lines of 10", strings.Count(picture, "\r\n")+1)
		}
	})
}

// FuzzColumns: any paths over any group are columns, or an error.
func FuzzColumns(f *testing.F) {
	groups := `[{"namespace":"production","name":"a","verdict":{"headline":"Protected"},"sites":[{"site":"east","conditions":[{"type":"Ready","status":"True"}]},{"site":"west"}]}]`
	for _, spec := range []string{
		"GROUP:.name,HEALTH:.verdict.headline", "A:{.sites[*].site}", "A:{range .sites[*]}{.site}{end}", "A:.sites[?(@.site==\"east\")].site", "A:.sites[-1:0:2]", "A:..", "A:{end}", "A:{range}", "A:.sites[0:9:-1]",
		"A:{", "A:{.name}}", "A:.sites[?(@.site>1)]", "A:{'x'}", "A:.verdict['headline','x']", "A:.sites[99]", "A:.name.x", "A:*", "A:{.sites[0].conditions[?(@.type=='Ready')].status}",
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
