// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package version says which build this is.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// Set by the linker: -X github.com/unified-replication/kubectl-vgr/pkg/version.version=… at build time.
var (
	version string
	commit  string
	date    string
	image   string
)

// Info describes a build.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Go       string `json:"goVersion"`
	Platform string `json:"platform"`
	// Image is the controller's image of this release, by digest; empty in a build that belongs to no release.
	Image string `json:"image,omitempty"`
}

// Get returns what the linker was told, or else what the Go toolchain recorded.
func Get() Info {
	info := Info{Version: version, Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Image: image}
	if build, ok := debug.ReadBuildInfo(); ok && info.Version == "" {
		info.Version = build.Main.Version
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = cmp.Or(info.Commit, s.Value)
			case "vcs.time":
				info.Date = cmp.Or(info.Date, s.Value)
			}
		}
	}
	info.Version = cmp.Or(strings.Trim(info.Version, "()"), "devel") // Go says (devel)
	return info
}

// Label returns the version as the value of a Kubernetes label, which takes no plus sign.
func (i Info) Label() string {
	fit := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, i.Version)
	return strings.Trim(fit[:min(len(fit), 63)], "._-")
}
