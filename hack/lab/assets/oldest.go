// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// OldestKubernetes is the oldest version of Kubernetes that is supported.
const OldestKubernetes = "v1.29.15"

// oldestModule is the directory of its module, which does not decide about the programs of today.
const oldestModule = "oldest"

//go:embed oldest/*.mod oldest/*.sum
var oldest embed.FS

// EnsureOldest returns a directory, fit for KUBEBUILDER_ASSETS, with the oldest API server and controller manager, and
// with the etcd of today. It builds what is missing.
func EnsureOldest(ctx context.Context, o Options) (string, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	o.Programs, o.Preinstalled = []string{Etcd, Kubectl}, ""
	today, err := Ensure(ctx, o)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.Cache, OldestKubernetes+"-"+versionOf(oldest, oldestModule, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache of the lab's programs: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return "", fmt.Errorf("lock the cache of the lab's programs: %w", err)
	}
	defer unlock()
	if err := buildAll(ctx, o.Progress, dir, missingOf(dir, []program{
		{name: APIServer, module: oldestModule, importPath: "k8s.io/kubernetes/cmd/kube-apiserver", version: OldestKubernetes},
		{name: ControllerManager, module: oldestModule, importPath: "k8s.io/kubernetes/cmd/kube-controller-manager", version: OldestKubernetes},
	})); err != nil {
		return "", err
	}
	for _, name := range o.Programs {
		if err := os.Symlink(today.Path(name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return dir, nil
}

func missingOf(dir string, all []program) []program {
	var out []program
	for _, p := range all {
		if !exists(filepath.Join(dir, p.name)) {
			out = append(out, p)
		}
	}
	return out
}
