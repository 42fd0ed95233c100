// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVersionFollowsWhatDecidesAboutThePrograms(t *testing.T) {
	base := versionOf(modules, "modules", "go1.26.0", "linux", "amd64")
	if again := versionOf(modules, "modules", "go1.26.0", "linux", "amd64"); again != base {
		t.Errorf("the same inputs give %s and %s", base, again)
	}
	for _, other := range [][]string{{"go1.26.1", "linux", "amd64"}, {"go1.26.0", "darwin", "amd64"}, {"go1.26.0", "linux", "arm64"}} {
		if versionOf(modules, "modules", other...) == base {
			t.Errorf("%v has the version of another toolchain", other)
		}
	}
}

func TestPinnedVersionsAreThoseOfTheModules(t *testing.T) {
	for _, p := range programs() {
		data, err := modules.ReadFile("modules/" + p.module + ".mod")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			found = found || len(fields) > 1 && fields[1] == p.version && strings.HasPrefix(p.importPath, fields[0])
		}
		if !found {
			t.Errorf("%s: no module of %s has version %s", p.name, p.importPath, p.version)
		}
	}
}

// TestCompatibility: the page names the versions that are run.
func TestCompatibility(t *testing.T) {
	page, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := strings.Join(strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")[:2], ".")
	for _, want := range []string{"| " + newest + " |", OldestKubernetes, csiAddonsVersion, dellVersion} {
		if !strings.Contains(string(page), want) {
			t.Errorf("it does not name %s", want)
		}
	}
	module, err := oldest.ReadFile("oldest/kubernetes.mod")
	if err != nil || !strings.Contains(string(module), "k8s.io/kubernetes "+OldestKubernetes+" ") {
		t.Errorf("the module builds another version: %v", err)
	}
}

func TestEnsureUsesWhatIsThere(t *testing.T) {
	cache, preinstalled := t.TempDir(), t.TempDir()
	dir := filepath.Join(cache, version())
	if err := os.MkdirAll(filepath.Join(dir, csiAddonsManifests), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		filepath.Join(dir, ControllerManager), filepath.Join(dir, CSIAddonsManager),
		filepath.Join(preinstalled, Etcd), filepath.Join(preinstalled, APIServer),
	} {
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Ensure(t.Context(), Options{Cache: cache, Preinstalled: preinstalled, Programs: ForLab(false)})
	if err != nil {
		t.Fatal(err)
	}
	if set.EnvtestDir() != preinstalled {
		t.Errorf("kube-apiserver is taken from %s, want %s", set.EnvtestDir(), preinstalled)
	}
	if got := filepath.Dir(set.Path(ControllerManager)); got != dir {
		t.Errorf("kube-controller-manager is taken from %s, want %s", got, dir)
	}
}

func TestEnsureLeavesOutWhatIsNotNeeded(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(cache, version())
	if err := os.MkdirAll(filepath.Join(dir, csiAddonsManifests), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range ForLab(false) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Ensure(t.Context(), Options{Cache: cache, Programs: ForLab(false)})
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Path(APIServer); got != filepath.Join(dir, APIServer) {
		t.Errorf("kube-apiserver is %s", got)
	}
	// The build of Dell's is asked for, and ends with its context.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ensure(ctx, Options{Cache: cache, Programs: ForLab(true)}); err == nil || !strings.Contains(err.Error(), DellReplicator) {
		t.Errorf("Dell's programs are not there: %v", err)
	}
}

func TestExecutable(t *testing.T) {
	for importPath, want := range map[string]string{"go.etcd.io/etcd/server/v3": "server", csiAddonsModule + "/cmd/manager": "manager"} {
		if got := (program{importPath: importPath}).executable(); got != want {
			t.Errorf("%s is built as %s, not %s", importPath, got, want)
		}
	}
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v, want it to wait", err)
	}
	unlock()
	unlock, err = lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
