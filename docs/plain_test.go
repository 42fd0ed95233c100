// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// private are phrases that only we understood, and what says the same in plain English.
var private = map[string]string{
	`\bsomebody\b|\bnobody\b`:                          "name who: a controller, a tool, a user, you",
	`\bgo(es)? on (where|replicating|showing|in the)`:  "resumes, continues, keeps replicating",
	`replication goes on`:                              "replication continues",
	`the same command goes on`:                         "the same command resumes",
	`\bis looked at\b|\blooked after\b`:                "is checked, is managed",
	`are as they are to be`:                            "unchanged",
	`\bhold the same\b`:                                "are in sync",
	`(it|that site|\S+) alone has\b`:                   "the writes that only it has",
	`has not crossed|has crossed`:                      "was not replicated, is replicated",
	`went different ways`:                              "have diverged",
	`is like that\b`:                                   "matches the filter",
	`\bmend\b( the cause| that)`:                       "fix",
	`could not be asked[:,]`:                           "could not check, could not be queried",
	`\blast word\b`:                                    "last status",
	`cannot be taken back|take it back|see it through`: "cannot be undone, undo, finish",
	`\blets? go of\b`:                                  "releases",
	`\bto go on: `:                                     "to continue",
	`in the middle of it`:                              "say what runs",
	`lost: nothing`:                                    "data loss: none",
}

// TestPlainEnglish: neither a page nor a text of the programs has a phrase of a private grammar.
func TestPlainEnglish(t *testing.T) {
	texts := map[string]string{}
	for page, text := range pages(t) {
		if filepath.Base(page) != "CHANGELOG.md" {
			texts[page] = text
		}
	}
	for _, root := range []string{"cmd", "pkg", "plugin"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			texts[path], err = literals(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for phrase, better := range private {
		re := regexp.MustCompile(`(?i)` + phrase)
		for path, text := range texts {
			for line := range strings.Lines(text) {
				if found := re.FindString(line); found != "" {
					t.Errorf("%s: %q (better: %s): %s", path, found, better, strings.TrimSpace(line))
				}
			}
		}
	}
}

// privateComments are phrases that comments must not have; a stranger reads them too.
var privateComments = regexp.MustCompile(`(?i)\b(somebody|nobody|anybody|everybody|whoever|looked (at|after)|go(es)? on|lets? go of|astray|taken back|says whether)\b`)

// privateNames are words for which the glossary, or the field, has better ones.
var privateNames = regexp.MustCompile(`(?i)(hopeless|headline|peerfate|survey|illegible|surrender|astray|untold|unfit|pulse|wish|punctual|garbage|moment(wanted)?$|surroundings|^goOn$|goesOn|subject$)`)

// olderNames are such names that stay: JSON fields and their tests.
var olderNames = []string{"headline", "Headline"}

// TestPlainComments: comments of the programs, their tests and the lab, and what they declare, have the words of the glossary.
func TestPlainComments(t *testing.T) {
	for _, root := range []string{"cmd", "pkg", "plugin", "hack"} {
		lab := root == "hack" // where certificates and RBAC have subjects
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, group := range file.Comments {
				if found := privateComments.FindString(group.Text()); found != "" {
					t.Errorf("%s: %q: name who, and say what happens", set.Position(group.Pos()), found)
				}
			}
			for _, name := range declared(file) {
				if found := privateNames.FindString(name.Name); found != "" && !lab && !slices.Contains(olderNames, name.Name) {
					t.Errorf("%s: %s: see docs/glossary.md", set.Position(name.Pos()), name.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// declared returns the names that a file declares: types, functions, fields, parameters, constants and variables.
func declared(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = append(names, n.Name)
		case *ast.TypeSpec:
			names = append(names, n.Name)
		case *ast.ValueSpec:
			names = append(names, n.Names...)
		case *ast.Field:
			names = append(names, n.Names...)
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					names = append(names, id)
				}
			}
		}
		return true
	})
	return names
}

// literals returns the string constants of a Go file, one on a line.
func literals(path string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return "", err
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return strings.Join(all, "\n"), nil
}

// TestErrorForm: errors of the plugin name the action and the object first, and the site after them; they do not begin
// with the site. Ended begins with the cause, and is no site's error.
func TestErrorForm(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(filepath.Join("..", "plugin"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			format, first := errorFormat(call)
			if format != "" {
				checked++
			}
			if id, ok := first.(*ast.Ident); strings.HasPrefix(format, "%s: ") && (!ok || id.Name != "why") {
				t.Errorf("%s: %q: <action> <object> on <site>: <cause>", set.Position(call.Pos()), format)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Error("no error was checked: have New and Refused of plugin/clierror other names?")
	}
}

// errorFormat returns the format of an error of plugin/clierror and its first argument; no format for other calls.
func errorFormat(call *ast.CallExpr) (format string, first ast.Expr) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", nil
	}
	at := map[string]int{"New": 2, "Refused": 1}[f.Sel.Name]
	if pkg, ok := f.X.(*ast.Ident); !ok || pkg.Name != "clierror" || at == 0 || len(call.Args) <= at {
		return "", nil
	}
	l, ok := call.Args[at].(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", nil
	}
	if len(call.Args) > at+1 {
		first = call.Args[at+1]
	}
	format, err := strconv.Unquote(l.Value)
	if err != nil {
		return "", nil
	}
	return format, first
}
