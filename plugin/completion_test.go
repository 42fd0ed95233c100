// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/dell"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// bare is the plugin without a cluster.
func bare(out, errOut *bytes.Buffer, self string) plugin.Config {
	return plugin.Config{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: errOut}, Clock: clock.RealClock{},
		Getenv: func(string) string { return "" }, Profiles: backend.Profiles{csiaddons.Profile(), dell.Profile(), trident.Profile()},
		Executable: func() (string, error) { return self, nil },
	}
}

// TestCompletesFlags walks all commands: a flag with a value completes it, or is here because nobody but
// the user can know the value.
func TestCompletesFlags(t *testing.T) {
	free := []string{
		"as", "as-group", "as-uid", "as-user-extra", "cluster", "proxy-url", "request-timeout", "server", "tls-server-name", "token", "user", // kubectl's own
		"accept-data-loss", "concurrency", "group-by", "image", "into", "parameter", "replicas", "selector", "timeout",
	}
	files := []string{"cache-dir", "certificate-authority", "client-certificate", "client-key", "dir", "kubeconfig", "template"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		cmd.InheritedFlags() // has them added
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			_, completes := cmd.GetFlagCompletionFunc(f.Name)
			known := slices.Contains(free, f.Name) || slices.Contains(files, f.Name)
			switch {
			case f.Value.Type() == "bool" || f.Hidden && !known || f.Name == "help":
			case completes && known:
				t.Errorf("%s --%s completes; take it off the list", cmd.CommandPath(), f.Name)
			case !completes && !known:
				t.Errorf("%s --%s does not complete", cmd.CommandPath(), f.Name)
			}
		})
		if cmd.Runnable() && cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && cmd.Args == nil {
			t.Errorf("%s takes arguments, and completes files", cmd.CommandPath())
		}
	}
	var out bytes.Buffer
	walk(plugin.NewRoot(bare(&out, &out, "")))
}

// TestCompletionInstall: the link is made, renewed and kept; what somebody else has there is not touched.
func TestCompletionInstall(t *testing.T) {
	bin, elsewhere := t.TempDir(), t.TempDir()
	self := filepath.Join(bin, "kubectl-vgr")
	if err := os.WriteFile(self, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(elsewhere, "kubectl_complete-vgr")
	install := func(path string) (int, string) {
		var out bytes.Buffer
		c := bare(&out, &out, self)
		c.Getenv = func(key string) string { return map[string]string{"PATH": path}[key] }
		c.Args = []string{"kubectl-vgr", "completion", "install", "--dir", elsewhere}
		code := plugin.Main(t.Context(), c)
		return code, out.String()
	}
	for _, step := range []struct {
		name, path string
		before     func() error
		code       int
		says       string
	}{
		{"new", elsewhere, func() error { return nil }, 0, " -> " + self},
		{"again", elsewhere, func() error { return nil }, 0, "is in place"},
		{"stale", elsewhere, func() error { return relink(link, filepath.Join(bin, "gone")) }, 0, " -> " + self},
		{"not on the PATH", bin, func() error { return nil }, 0, "is not on your PATH"},
		{"a file of somebody else", elsewhere, func() error { _ = os.Remove(link); return os.WriteFile(link, []byte("theirs"), 0o600) }, 1, "exists and is no link of ours"},
	} {
		if err := step.before(); err != nil {
			t.Fatal(err)
		}
		if code, said := install(step.path); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("%s: exit code %d, and it says %q", step.name, code, said)
		}
	}
	if data, err := os.ReadFile(link); err != nil || string(data) != "theirs" {
		t.Errorf("the file of somebody else is now %q, %v", data, err)
	}
}

func relink(link, target string) error {
	if err := os.Remove(link); err != nil {
		return err
	}
	return os.Symlink(target, link)
}
