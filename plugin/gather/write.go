// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Page is the name of the page in the directory.
const Page = "index.html"

// Write puts a report into a directory, which only its owner can read: the page, the overview as status
// prints it, and for each site a file of every kind and log.
func Write(dir string, r Report) error {
	var page bytes.Buffer
	if err := HTML(&page, r); err != nil {
		return err
	}
	files := map[string][]byte{Page: page.Bytes()}
	view, err := overviewJSON(r)
	if err != nil {
		return err
	}
	files["overview.json"] = []byte(present.Visible(string(view))) // the same JSON, and harmless on a terminal
	taken := map[string]bool{}
	for _, s := range r.Sites {
		at := fileName(s.Name)
		for at == "" || taken[at] { // two names can become one
			at += "_"
		}
		taken[at] = true
		for _, k := range s.Kinds {
			if len(k.Objects) == 0 {
				continue
			}
			text, err := yamlOf(k)
			if err != nil {
				return err
			}
			files[filepath.Join(at, fileName(k.Name)+".yaml")] = text
		}
		for _, l := range s.Logs {
			if l.Text != "" {
				files[filepath.Join(at, "logs", fileName(l.Name)+".log")] = []byte(present.Visible(l.Text))
			}
		}
		if missing := s.Missing(); len(missing) > 0 {
			files[filepath.Join(at, "missing.txt")] = []byte(strings.Join(missing, "\n") + "\n")
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory; it may be an old one that others could read
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := create(path, content); err != nil {
			return err
		}
	}
	return nil
}

// create makes a file, and follows no link that another user made in its place.
func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// overviewJSON returns what status -o json prints, without secrets.
func overviewJSON(r Report) ([]byte, error) {
	text, err := json.Marshal(r.Overview)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	Object(content)
	return json.MarshalIndent(content, "", "  ")
}

func yamlOf(k Kind) ([]byte, error) {
	var out bytes.Buffer
	for i := range k.Objects {
		text, err := present.ToYAML(k.Objects[i].Object)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "---\n%s", present.Visible(string(text)))
	}
	return out.Bytes(), nil
}

// fileName keeps what every file system takes. A context can be named like a path.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return strings.TrimLeft(clean, ".")
}
