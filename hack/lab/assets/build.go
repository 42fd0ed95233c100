// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// program is one build: a package of one of the embedded modules.
type program struct {
	name        string
	module      string
	importPath  string
	version     string
	replaceable bool
}

// majorVersion is the end of an import path that names no directory.
var majorVersion = regexp.MustCompile(`/v[0-9]+$`)

// executable returns how go build calls the program.
func (p program) executable() string {
	return path.Base(majorVersion.ReplaceAllString(p.importPath, ""))
}

const (
	kubernetesVersion = "v1.37.2"
	etcdVersion       = "v3.7.3"
	csiAddonsVersion  = "v0.14.0"

	csiAddonsModule    = "github.com/csi-addons/kubernetes-csi-addons"
	csiAddonsManifests = "csi-addons"

	dellVersion   = "v1.14.0"
	dellModule    = "github.com/dell/csm-replication"
	dellManifests = "dell"
)

func programs() []program {
	return []program{
		{name: APIServer, module: "kubernetes", importPath: "k8s.io/kubernetes/cmd/kube-apiserver", version: kubernetesVersion, replaceable: true},
		{name: ControllerManager, module: "kubernetes", importPath: "k8s.io/kubernetes/cmd/kube-controller-manager", version: kubernetesVersion, replaceable: true},
		{name: Kubectl, module: "kubernetes", importPath: "k8s.io/kubernetes/cmd/kubectl", version: kubernetesVersion, replaceable: true},
		{name: CSIAddonsManager, module: "csi-addons", importPath: csiAddonsModule + "/cmd/manager", version: csiAddonsVersion},
		{name: DellReplicator, module: "dell", importPath: dellModule + "/cmd/csi-replicator", version: dellVersion},
		{name: DellReplicationController, module: "dell", importPath: dellModule + "/cmd/replication-controller", version: dellVersion},
		{name: Etcd, module: "etcd", importPath: "go.etcd.io/etcd/server/v3", version: etcdVersion, replaceable: true},
	}
}

// buildFlags returns the same for all programs.
func buildFlags() []string { return buildFlagsOf(kubernetesVersion) }

// buildFlagsOf returns those of a version of Kubernetes. It is set so that clients see which Kubernetes they talk to;
// upstream sets it at release time only.
func buildFlagsOf(kubernetes string) []string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetes, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	const pkg = "k8s.io/component-base/version."
	ldflags := []string{
		"-s", "-w",
		"-X", pkg + "gitVersion=" + kubernetes, "-X", pkg + "gitMajor=" + major, "-X", pkg + "gitMinor=" + minor,
	}
	return []string{"-trimpath", "-mod=readonly", "-ldflags=" + strings.Join(ldflags, " ")}
}

// buildLocked holds the directory's lock, so that of several callers one builds.
func buildLocked(ctx context.Context, o Options, dir string, missing []program) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cache of the lab's programs: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return fmt.Errorf("lock the cache of the lab's programs: %w", err)
	}
	defer unlock()
	if err := buildAll(ctx, o.Progress, dir, missing); err != nil {
		return err
	}
	for _, m := range manifestsOf(o.Programs) {
		if err := m.copy(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// buildAll builds the programs of each module at once, and two modules at a time: while the one links, which uses one
// processor, the other compiles.
func buildAll(ctx context.Context, progress io.Writer, dir string, missing []program) error {
	modules := map[string][]program{}
	var order []string // as in programs, where what takes longest is first
	for _, p := range missing {
		if exists(filepath.Join(dir, p.name)) {
			continue // another process built it while we waited
		}
		if modules[p.module] == nil {
			order = append(order, p.module)
		}
		modules[p.module] = append(modules[p.module], p)
	}
	var all errgroup.Group
	all.SetLimit(2)
	var printing sync.Mutex
	say := func(format string, args ...any) {
		printing.Lock()
		defer printing.Unlock()
		fmt.Fprintf(progress, format, args...)
	}
	for _, module := range order {
		all.Go(func() error {
			programs := modules[module]
			names := strings.Join(namesOf(programs), ", ")
			say("building %s %s (once, some minutes) …\n", names, programs[0].version)
			started := time.Now()
			if err := build(ctx, dir, module, programs); err != nil {
				return fmt.Errorf("build %s %s: %w", names, programs[0].version, err)
			}
			say("built %s in %s\n", names, time.Since(started).Round(time.Second))
			return nil
		})
	}
	return all.Wait()
}

func namesOf(programs []program) []string {
	names := make([]string, len(programs))
	for i, p := range programs {
		names[i] = p.name
	}
	return names
}

// build compiles programs of a module into a scratch directory and renames, so that a program that is there is whole.
func build(ctx context.Context, dir, module string, programs []program) error {
	scratch, err := materialise(dir, module)
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "bin")
	flags := buildFlags()
	if module == oldestModule {
		flags = buildFlagsOf(OldestKubernetes)
	}
	args := slices.Concat([]string{"build"}, flags, []string{"-o", out + string(filepath.Separator)})
	for _, p := range programs {
		args = append(args, p.importPath)
	}
	if _, err := goTool(ctx, scratch, args...); err != nil {
		return err
	}
	for _, p := range programs {
		if err := os.Rename(filepath.Join(out, p.executable()), filepath.Join(dir, p.name)); err != nil {
			return err
		}
	}
	return nil
}

// manifestsOf returns those that belong to programs; to all of them when none is named.
func manifestsOf(programs []string) []manifests {
	all := []manifests{{csiAddonsManifests, "csi-addons", csiAddonsModule, slices.Concat([]string{"config/crd/bases/*.yaml"}, rbacManifests())}}
	if len(programs) == 0 || slices.Contains(programs, DellReplicator) {
		all = append(all, manifests{dellManifests, "dell", dellModule, []string{"deploy/replicationcrds.all.yaml"}})
	}
	return all
}

// manifests are files of a vendor's module, where they are beside the code of the same version.
type manifests struct {
	// name is the directory that they are copied to.
	name, module, path string
	patterns           []string
}

func (m manifests) copy(ctx context.Context, dir string) error {
	if exists(filepath.Join(dir, m.name)) {
		return nil
	}
	scratch, err := materialise(dir, m.module)
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if _, err := goTool(ctx, scratch, "mod", "download", m.path); err != nil {
		return err
	}
	source, err := goTool(ctx, scratch, "list", "-m", "-f", "{{.Dir}}", m.path)
	if err != nil {
		return err
	}
	target := filepath.Join(scratch, m.name)
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	for _, pattern := range m.patterns {
		files, err := filepath.Glob(filepath.Join(source, filepath.FromSlash(pattern)))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("no %s in %s", pattern, m.path)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(target, filepath.Base(file)), data, 0o644); err != nil {
				return err
			}
		}
	}
	return os.Rename(target, filepath.Join(dir, m.name))
}

// rbacManifests returns the rules csi-addons ships for its manager.
func rbacManifests() []string {
	return []string{"config/rbac/role.yaml", "config/rbac/leader_election_role.yaml"}
}

// materialise writes an embedded module to a scratch directory beside the programs, on the same
// file system as they are.
func materialise(dir, module string) (string, error) {
	scratch, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", err
	}
	for _, suffix := range []string{"mod", "sum"} {
		data, err := moduleFile(module, suffix)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(scratch, "go."+suffix), data, 0o644); err != nil {
			return "", err
		}
	}
	return scratch, nil
}

func moduleFile(module, suffix string) ([]byte, error) {
	if module == oldestModule {
		return oldest.ReadFile(oldestModule + "/kubernetes." + suffix)
	}
	return modules.ReadFile("modules/" + module + "." + suffix)
}

func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// The caller's workspace and flags are about another module.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// lock waits for an exclusive lock on the file. The kernel drops it when the holder dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	const retry = 200 * time.Millisecond // flock itself cannot be interrupted by a context
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK {
			file.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-time.After(retry):
		}
	}
}
