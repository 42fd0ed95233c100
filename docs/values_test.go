// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// constants are the string constants of a package, in their order, that have a type or, without one, a prefix.
func constants(t *testing.T, dir, typed, prefix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			of, _ := spec.Type.(*ast.Ident)
			value, _ := spec.Values[0].(*ast.BasicLit)
			if value == nil || value.Kind != token.STRING {
				return true
			}
			if typed != "" && of != nil && of.Name == typed || typed == "" && of == nil && strings.HasPrefix(spec.Names[0].Name, prefix) {
				text, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, text)
			}
			return true
		})
	}
	if len(out) < 2 {
		t.Fatalf("only %v are of type %q or begin with %q in %s", out, typed, prefix, dir)
	}
	return out
}

// TestValues: every value that a user can meet in a status, in JSON or on the screen is explained.
func TestValues(t *testing.T) {
	const api, guide, failover = "api.md", "guide.md", "failover.md"
	text := pages(t)
	for _, tc := range []struct {
		dir, typed, prefix string
		pages              []string
	}{
		{"pkg/api/v1alpha2", "", "Reason", []string{api}},
		{"pkg/api/v1alpha2", "", "Condition", []string{api}},
		{"pkg/api/v1alpha2", "", "Annotation", []string{api}},
		{"pkg/api/v1alpha2", "ReplicationState", "", []string{api}},
		{"pkg/api/v1alpha2", "State", "", []string{api}},
		{"pkg/api/v1alpha2", "Health", "", []string{api}},
		{"pkg/api/v1alpha2", "PeerState", "", []string{api}},
		{"pkg/overview", "Phase", "", []string{api, guide}},
		{"pkg/overview", "Impact", "", []string{api, guide, "glossary.md"}},
		{"pkg/overview", "Level", "", []string{api}},
		{"pkg/overview", "SiteProblem", "", []string{api}},
		{"pkg/recovery", "Kind", "", []string{api}},
		{"pkg/recovery", "Result", "", []string{api}},
		{"pkg/recovery", "StepID", "", []string{failover}},
	} {
		for _, value := range constants(t, tc.dir, tc.typed, tc.prefix) {
			for _, page := range tc.pages {
				if in := text[filepath.Join("..", "docs", page)]; !strings.Contains(in, "`"+value+"`") && !strings.Contains(in, "`"+strings.TrimPrefix(value, "replication.unified.io/")+"`") {
					t.Errorf("docs/%s does not explain %q (%s%s of %s)", page, value, tc.typed, tc.prefix, tc.dir)
				}
			}
		}
	}
	for _, typed := range []string{"Phase", "Impact"} {
		list := "`" + strings.Join(constants(t, "pkg/overview", typed, ""), "`, `") + "`"
		if !strings.Contains(strings.ReplaceAll(text[filepath.Join("..", "docs", api)], "\n", " "), list) {
			t.Errorf("docs/%s has not all values of %s in their order: %s", api, typed, list)
		}
	}
}

// TestReasons: the list of reasons by which metrics are bounded is whole.
func TestReasons(t *testing.T) {
	want, got := constants(t, "pkg/api/v1alpha2", "", "Reason"), vgrv1.Reasons()
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFields: every field of the JSON that list and status print is in the table.
func TestFields(t *testing.T) {
	text := pages(t)[filepath.Join("..", "docs", "api.md")]
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(at reflect.Type) {
		for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice || at.Kind() == reflect.Map {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct || seen[at] || !strings.HasSuffix(at.PkgPath(), "pkg/overview") {
			return
		}
		seen[at] = true
		for f := range at.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || !f.IsExported() {
				continue
			}
			if name != "" && !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"[]`") && !strings.Contains(text, "."+name+"`") && !strings.Contains(text, "."+name+"[]`") {
				t.Errorf("docs/api.md does not have the field %q of %s", name, at)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[overview.Overview]())
}
