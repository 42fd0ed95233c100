// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/plugin"
)

// TestK9s: each key has a command that the plugin takes, on groups of ours only, and no shell reads the
// name of a group as code.
func TestK9s(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "k9s", "plugins.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Plugins map[string]struct {
			ShortCut, Description, Command string
			Scopes, Args                   []string
			Background, Dangerous          bool
		} `json:"plugins"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for name, p := range file.Plugins {
		if other := keys[p.ShortCut]; other != "" {
			t.Errorf("%s and %s have the same key", name, other)
		}
		keys[p.ShortCut] = name
		if !slices.Equal(p.Scopes, []string{"volumegroupreplications.replication.unified.io", "replication.unified.io/v1alpha2/volumegroupreplications"}) || p.Background || p.Description == "" {
			t.Errorf("%s: %+v", name, p)
		}
		line := strings.Join(p.Args, " ")
		if p.Command == "sh" {
			if strings.Contains(p.Args[1], "$N") || strings.Contains(p.Args[1], "$C") {
				t.Errorf("%s: k9s would put a name into the script: %s", name, p.Args[1])
			}
			line = strings.TrimPrefix(regexp.MustCompile(`^[^|;]*`).FindString(p.Args[1]), "kubectl ")
		}
		args := strings.Fields(strings.NewReplacer(`"`, "", "$1", "x", "$2", "ns", "$3", "east", "$NAMESPACE", "ns", "$NAME", "x", "$CONTEXT", "east").Replace(line))
		var out bytes.Buffer
		cmd, rest, err := plugin.NewRoot(bare(&out, &out, "")).Find(args[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil || !cmd.Runnable() || args[0] != "vgr" {
			t.Errorf("%s runs %q, which the plugin does not take: %v", name, args, err)
		}
	}
}
