// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// yamlKey is the key of a line, with what is before it.
var yamlKey = regexp.MustCompile(`^(\s*(?:- )*)([\w.\-/]+)(:)`)

// YAML returns a group as status -o yaml prints it, with coloured keys.
func YAML(s Style, g overview.Group) ([]string, error) {
	text, err := ToYAML(g)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i, line := range lines {
		line = Clean(line)
		if m := yamlKey.FindStringSubmatch(line); m != nil {
			line = m[1] + s.paint(blue, m[2]) + m[3] + line[len(m[0]):]
		}
		lines[i] = line
	}
	return lines, nil
}

// ToYAML returns yaml.Marshal, which goes through JSON, and reads it with a parser that takes some characters only
// when they are escaped: one of them in one annotation, and nothing could be shown.
func ToYAML(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return yaml.JSONToYAML([]byte(b.String()))
}
