// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package assets provides the programs the lab runs: etcd, the Kubernetes control plane, the
// csi-addons controller manager and Dell's replication controllers. They are built from Go modules at exact versions, once, and kept
// in the user's cache directory; nothing is downloaded but modules. The package starts nothing.
package assets

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// The programs, by the names that controller-runtime's envtest expects of the first two.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	CSIAddonsManager  = "csi-addons-manager"
	// Dell's sidecar of the driver, and its controller between the clusters.
	DellReplicator            = "dell-csi-replicator"
	DellReplicationController = "dell-replication-controller"
	// Kubectl runs the plugin the way users do; the lab itself does not need it.
	Kubectl = "kubectl"
)

// Options says where programs come from and go to.
type Options struct {
	// Cache is the directory that holds one sub-directory per set of versions.
	Cache string
	// Preinstalled is a directory whose etcd, kube-apiserver and kube-controller-manager are used
	// instead of our own, each if it is there: the value of KUBEBUILDER_ASSETS. May be empty.
	Preinstalled string
	// Programs are those that are needed; all when there are none.
	Programs []string
	// Progress gets a line for each build that is needed. May be nil.
	Progress io.Writer
}

// DefaultOptions reads XDG_CACHE_HOME and KUBEBUILDER_ASSETS.
func DefaultOptions(getenv func(string) string) (Options, error) {
	cache := getenv("XDG_CACHE_HOME")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return Options{}, fmt.Errorf("no cache directory, set XDG_CACHE_HOME: %w", err)
		}
		cache = dir
	}
	return Options{Cache: filepath.Join(cache, "kubectl-vgr", "lab"), Preinstalled: getenv("KUBEBUILDER_ASSETS")}, nil
}

// ForLab returns the programs that a lab runs, with Dell's or without.
func ForLab(dell bool) []string {
	all := []string{Etcd, APIServer, ControllerManager, CSIAddonsManager}
	if dell {
		all = append(all, DellReplicator, DellReplicationController)
	}
	return all
}

// Set are programs and the manifests that belong to them.
type Set struct {
	programs map[string]string
	// Dir holds our own builds.
	Dir string
}

// Path returns where a program is.
func (s Set) Path(program string) string { return s.programs[program] }

// EnvtestDir returns a directory with etcd and kube-apiserver, fit for KUBEBUILDER_ASSETS.
func (s Set) EnvtestDir() string { return filepath.Dir(s.programs[APIServer]) }

// DellManifests returns the directory of Dell's CRDs.
func (s Set) DellManifests() string { return filepath.Join(s.Dir, dellManifests) }

// CSIAddonsManifests returns the directory of csi-addons' own CRDs and roles.
func (s Set) CSIAddonsManifests() string { return filepath.Join(s.Dir, csiAddonsManifests) }

// Ensure returns the programs and builds what is missing. Several callers may ask at the same
// time, from several processes: one builds and the others wait for it.
func Ensure(ctx context.Context, o Options) (Set, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	dir := filepath.Join(o.Cache, version())
	set := Set{Dir: dir, programs: map[string]string{}}
	var missing []program
	for _, p := range programs() {
		if len(o.Programs) > 0 && !slices.Contains(o.Programs, p.name) {
			continue
		}
		own, preinstalled := filepath.Join(dir, p.name), filepath.Join(o.Preinstalled, p.name)
		switch {
		case o.Preinstalled != "" && p.replaceable && exists(preinstalled):
			set.programs[p.name] = preinstalled
		case !exists(own):
			missing = append(missing, p)
			fallthrough
		default:
			set.programs[p.name] = own
		}
	}
	complete := len(missing) == 0
	for _, m := range manifestsOf(o.Programs) {
		complete = complete && exists(filepath.Join(dir, m.name))
	}
	if complete {
		return set, nil
	}
	if err := buildLocked(ctx, o, dir, missing); err != nil {
		return Set{}, err
	}
	return set, nil
}

// Clean removes all programs of all versions.
func Clean(o Options) error { return os.RemoveAll(o.Cache) }

// modules are the pinned dependencies of each program, one Go module per upstream project so that
// they cannot disagree about versions. Renamed, because go:embed leaves go.mod files out.
//
//go:embed modules/*.mod modules/*.sum
var modules embed.FS

// version names the cache directory: it changes with everything that decides about the programs.
func version() string {
	return versionOf(modules, "modules", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionOf(files embed.FS, dir string, toolchain ...string) string {
	hash := sha256.New()
	for _, text := range slices.Concat(toolchain, buildFlags(), rbacManifests()) {
		fmt.Fprintf(hash, "%s\x00", text)
	}
	entries, _ := files.ReadDir(dir) // embedded, sorted, cannot fail
	for _, entry := range entries {
		data, _ := files.ReadFile(dir + "/" + entry.Name())
		fmt.Fprintf(hash, "%s\x00%d\x00%s", entry.Name(), len(data), data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
