// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package memory keeps on this machine what commands last saw of groups on each site, so that it can be shown, with
// its time, while a site does not answer. Nothing is decided by it, and a command works the same without it.
package memory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

const (
	// most bounds the groups that are kept of a site: those that were seen last.
	most = 2000
	// largest bounds the file of a site, in bytes; a larger one is not ours.
	largest = 4 << 20
	// pause is the time between two writes while sites are followed.
	pause = 30 * time.Second
)

// Memory is what is remembered of the sites of one command. Its zero value remembers nothing.
type Memory struct {
	dir   string
	sites map[string]*remembered
	saved time.Time
}

// remembered is one site.
type remembered struct {
	file, address string
	// before is what the file says; nil until it is read.
	before map[group]entry
	// seen is what this command has seen.
	seen map[group]sight
}

type group struct{ Namespace, Name string }

// sight is a group that is there or, with the zero time, is not.
type sight struct{ overview.Remembered }

type entry struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	overview.Remembered
}

// file is the form on the disk.
type file struct {
	Address string  `json:"address"`
	Groups  []entry `json:"groups"`
}

// Open returns the memory of sites, by the address of each; dir is where it is kept, and may be empty.
func Open(dir string, addresses map[string]string) *Memory {
	m := &Memory{dir: dir, sites: map[string]*remembered{}}
	if dir == "" {
		return m
	}
	for site, address := range addresses {
		sum := sha256.Sum256([]byte(address))
		m.sites[site] = &remembered{file: filepath.Join(dir, hex.EncodeToString(sum[:8])+".json"), address: address, seen: map[group]sight{}}
	}
	return m
}

// Refresh notes what the sites that answered say, and adds to the groups what is remembered of those that did not.
func (m *Memory) Refresh(o *overview.Overview) {
	for i, site := range o.Sites {
		r := m.sites[site.Name]
		if r == nil {
			continue
		}
		for j := range o.Groups {
			g := &o.Groups[j]
			name := group{g.Namespace, g.Name}
			switch gs := &g.Sites[i]; {
			case site.Problem == overview.SiteAsking:
			case !site.Answered:
				gs.Remembered = r.recall(name)
			case !gs.Exists:
				r.seen[name] = sight{}
			default:
				r.seen[name] = sight{overview.Remembered{
					SeenAt: o.ObservedAt, State: gs.State, LastSyncTime: gs.LastSyncTime, Volumes: len(gs.Volumes),
				}}
			}
		}
	}
}

// recall returns what is remembered of a group; nil when it is not known.
func (r *remembered) recall(name group) *overview.Remembered {
	if seen, told := r.seen[name]; told {
		if seen.SeenAt.IsZero() {
			return nil
		}
		return &seen.Remembered
	}
	r.read()
	if e, known := r.before[name]; known {
		return &e.Remembered
	}
	return nil
}

// read reads the file of a site once. One that is missing, too large or not ours is empty.
func (r *remembered) read() {
	if r.before != nil {
		return
	}
	r.before = map[group]entry{}
	in, err := os.Open(r.file)
	if err != nil {
		return
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, largest+1))
	var f file
	if err != nil || len(data) > largest || json.Unmarshal(data, &f) != nil || f.Address != r.address {
		return
	}
	for _, e := range f.Groups {
		r.before[group{e.Namespace, e.Name}] = e
	}
}

// SaveSometimes saves while sites are followed, unless that was done a moment ago.
func (m *Memory) SaveSometimes(now time.Time) {
	if now.Sub(m.saved) >= pause {
		m.saved = now
		m.Save()
	}
}

// Save writes what was seen. A memory that cannot be written is only missing later.
func (m *Memory) Save() {
	for _, r := range m.sites {
		if len(r.seen) > 0 {
			_ = r.write()
		}
	}
}

// write puts what was seen into the file, over what another command has written meanwhile. It replaces the file as a
// whole, so that none is ever half written.
func (r *remembered) write() error {
	r.before = nil
	r.read()
	for name, seen := range r.seen {
		if seen.SeenAt.IsZero() {
			delete(r.before, name)
		} else {
			r.before[name] = entry{name.Namespace, name.Name, seen.Remembered}
		}
	}
	f := file{Address: r.address, Groups: make([]entry, 0, len(r.before))}
	for _, e := range r.before {
		f.Groups = append(f.Groups, e)
	}
	slices.SortFunc(f.Groups, latest)
	f.Groups = f.Groups[:min(len(f.Groups), most)]
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(f); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(r.file), ".seen-*") // for its owner only
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), r.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}

// latest orders what was seen last first, and what was seen together by name.
func latest(a, b entry) int {
	if c := b.SeenAt.Compare(a.SeenAt.Time); c != 0 {
		return c
	}
	return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
}

// Dir returns where memories are kept: beside the state of other programs of the user. It is empty without a home.
func Dir(getenv func(string) string) string {
	base := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home := getenv("HOME")
		if home == "" {
			return ""
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "kubectl-vgr", "seen")
}
