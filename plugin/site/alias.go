// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Alias is a name of a cluster that a user, or a group, has given it.
type Alias struct {
	Name string `json:"name"`
	// Cluster is the identity of the cluster, and Endpoint where it answered: a site that is down is known by that.
	Cluster  string `json:"cluster"`
	Endpoint string `json:"endpoint"`
	// Context is what it was called when it got the name, in File unless that is empty.
	Context string `json:"context"`
	File    string `json:"kubeconfig,omitempty"`
}

var aliasForm = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9_.]*$`)

// ValidAlias refuses what is no name for a site: it is typed, and shown beside the other site's.
func ValidAlias(name string) error {
	if len(name) > longName || !aliasForm.MatchString(name) {
		return fmt.Errorf("a site's name has up to %d letters, digits, '-', '_' and '.', and begins with a letter or a digit", longName)
	}
	return nil
}

// aliasFile is the form on the disk.
type aliasFile struct {
	Sites []Alias `json:"sites"`
}

// directory returns that of kubectl vgr below one that the environment names, or else below the user's home.
func (c *Connector) directory(variable, underHome string) string {
	dir := c.Env(variable)
	if !filepath.IsAbs(dir) {
		home := c.Env("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, underHome)
	}
	return filepath.Join(dir, "kubectl-vgr")
}

// aliasesFile has the user's aliases; it is empty without a home.
func (c *Connector) aliasesFile() string {
	if dir := c.directory("XDG_CONFIG_HOME", ".config"); dir != "" {
		return filepath.Join(dir, "sites.json")
	}
	return ""
}

// offeredFile has the aliases that groups offered when they were last read.
func (c *Connector) offeredFile() string {
	if dir := c.directory("XDG_CACHE_HOME", ".cache"); dir != "" {
		return filepath.Join(dir, "offered.json")
	}
	return ""
}

// largestFile bounds a file of names; a larger one is not ours.
const largestFile = 1 << 20

// readAliases reads a file of names; one that does not exist has none.
func readAliases(file string) ([]Alias, error) {
	info, err := os.Stat(file)
	switch {
	case file == "" || errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > largestFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f aliasFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", file, err)
	}
	return slices.DeleteFunc(f.Sites, func(a Alias) bool { return ValidAlias(a.Name) != nil || a.Cluster == "" }), nil
}

// writeAliases replaces a file of names as a whole.
func writeAliases(file string, aliases []Alias) error {
	if file == "" {
		return errors.New("there is no home directory to keep it in")
	}
	data, err := json.MarshalIndent(aliasFile{aliases}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(file), ".sites-*") // for its owner only
	if err != nil {
		return err
	}
	_, err = out.Write(append(data, '\n'))
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}

// Aliases returns the user's aliases.
func (c *Connector) Aliases() ([]Alias, error) { return readAliases(c.aliasesFile()) }

// SetAliases replaces the user's aliases.
func (c *Connector) SetAliases(aliases []Alias) error { return writeAliases(c.aliasesFile(), aliases) }

// aliasOf returns the alias of the cluster at an endpoint.
func aliasOf(aliases []Alias, s *Site) Alias {
	i := slices.IndexFunc(aliases, func(a Alias) bool { return a.Endpoint == s.Endpoint() })
	if i < 0 {
		return Alias{}
	}
	return aliases[i]
}

// Offer returns the annotation of a group that offers the user's aliases of clusters to other users; empty without any.
func (c *Connector) Offer(clusters ...string) string {
	aliases, err := c.Aliases()
	if err != nil {
		return ""
	}
	offer := map[string]string{}
	for _, a := range aliases {
		if slices.Contains(clusters, a.Cluster) {
			offer[a.Cluster] = a.Name
		}
	}
	if len(offer) == 0 {
		return ""
	}
	text, err := json.Marshal(offer)
	if err != nil {
		return ""
	}
	return string(text)
}

// offers returns the aliases that groups offer, by the cluster. What they do not agree on is not offered.
func offers(groups []vgrv1.VolumeGroupReplication) map[string]string {
	out := map[string]string{}
	for _, g := range groups {
		var said map[string]string
		if text := g.Annotations[vgrv1.AnnotationSiteNames]; len(text) > 1024 || json.Unmarshal([]byte(text), &said) != nil {
			continue
		}
		for cluster, name := range said {
			if before, told := out[cluster]; told && before != name {
				name = ""
			}
			out[cluster] = name
		}
	}
	return out
}

// Learn keeps the aliases that the groups of a site offer for two clusters which have answered.
func (c *Connector) Learn(groups []vgrv1.VolumeGroupReplication, clusters map[string]*Site) {
	known, err := readAliases(c.offeredFile())
	if err != nil {
		known = nil
	}
	before := slices.Clone(known)
	said := offers(groups)
	for cluster, s := range clusters {
		known = slices.DeleteFunc(known, func(a Alias) bool { return a.Cluster == cluster || a.Endpoint == s.Endpoint() })
		if name := said[cluster]; ValidAlias(name) == nil && cluster != "" {
			known = append(known, Alias{Name: name, Cluster: cluster, Endpoint: s.Endpoint(), Context: s.Context, File: s.File})
		}
	}
	if !slices.Equal(before, known) {
		_ = writeAliases(c.offeredFile(), known) // one that cannot be written is only not shown
	}
}
