// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// yamlKey is the key of a line, with what is before it.
var yamlKey = regexp.MustCompile(`^(\s*(?:- )*)([\w.\-/]+)(:)`)

// YAML is a group as status -o yaml prints it, with coloured keys.
func YAML(s Style, g overview.Group) ([]string, error) {
	text, err := yaml.Marshal(g)
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
