// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/util/jsonpath"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// column is one HEAD:PATH of -o custom-columns. kubectl's own printer brings 30 more
// packages and 2.7 MB.
type column struct {
	head string
	path *jsonpath.JSONPath
}

func parseColumns(spec string) ([]column, error) {
	const example = "use -o custom-columns=GROUP:.name,HEALTH:.verdict.phase"
	var columns []column
	for part := range strings.SplitSeq(spec, ",") {
		head, path, ok := strings.Cut(part, ":")
		if !ok || head == "" || path == "" {
			return nil, clierror.New(clierror.CodeError, example, "custom column %q is not HEAD:PATH", part)
		}
		if !strings.HasPrefix(path, "{") {
			path = "{." + strings.TrimPrefix(path, ".") + "}"
		}
		c := column{head: head, path: jsonpath.New(head).AllowMissingKeys(true)}
		if err := c.path.Parse(path); err != nil {
			return nil, clierror.New(clierror.CodeError, example, "custom column %q: %v", part, err)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// value returns what the path finds, as text.
func (c column) value(object any) (string, error) {
	found, err := c.path.FindResults(object)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, results := range found {
		for _, r := range results {
			texts = append(texts, present.Clean(fmt.Sprint(r.Interface())))
		}
	}
	if len(texts) == 0 {
		return "<none>", nil
	}
	return strings.Join(texts, ","), nil
}

// customColumns prints one row per group; the paths begin at the group.
func customColumns(w io.Writer, spec string, groups []overview.Group) error {
	columns, err := parseColumns(spec)
	if err != nil {
		return err
	}
	table := printers.GetNewTabWriter(w)
	row := func(cell func(column) (string, error)) error {
		var cells []string
		for _, c := range columns {
			text, err := cell(c)
			if err != nil {
				return err
			}
			cells = append(cells, text)
		}
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		return err
	}
	if err := row(func(c column) (string, error) { return c.head, nil }); err != nil {
		return err
	}
	for _, g := range groups {
		data, err := json.Marshal(g)
		if err != nil {
			return err
		}
		var object map[string]any
		if err := json.Unmarshal(data, &object); err != nil {
			return err
		}
		if err := row(func(c column) (string, error) { return c.value(object) }); err != nil {
			return err
		}
	}
	return table.Flush()
}
