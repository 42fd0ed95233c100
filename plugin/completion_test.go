// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// bare is the plugin without a cluster.
func bare(out, errOut *bytes.Buffer, self string) plugin.Config {
	return plugin.Config{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: errOut}, Clock: clock.RealClock{},
		Getenv: func(string) string { return "" }, Profiles: drivers.Profiles(),
		Executable: func() (string, error) { return self, nil },
	}
}

// TestCompletesFlags walks all commands: a flag with a value completes it, or is here because only
// the user can know the value.
func TestCompletesFlags(t *testing.T) {
	free := []string{
		"as", "as-group", "as-uid", "as-user-extra", "cluster", "proxy-url", "request-timeout", "server", "tls-server-name", "token", "user", // kubectl's own
		"accept-data-loss", "concurrency", "group-by", "image", "image-pull-secret", "image-registry", "into", "keep", "max-outage", "namespace-name", "parameter", "replicas", "secret", "selector", "timeout",
	}
	files := []string{"cache-dir", "certificate-authority", "check", "client-certificate", "client-key", "dir", "kubeconfig", "peer-kubeconfig", "template"}
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

// TestCompletionInstall: the link is made, renewed and kept; what another tool has there is not touched.
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
		{"a file of somebody else", elsewhere, func() error { _ = os.Remove(link); return os.WriteFile(link, []byte("theirs"), 0o600) }, 1, "exists and is not a link that kubectl vgr made"},
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

// TestCompletionRunsNothing: what bash inserts for names that several contexts begin with is no command.
func TestCompletionRunsNothing(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	config := clientcmdapi.NewConfig()
	addContext(config, "plain", &rest.Config{Host: "https://127.0.0.1:1"})
	for _, name := range []string{"default/api-ocp-east-example-com:6443/kube:admin", "arn:aws:eks:eu-west-1:1:cluster/x", "$(touch pwned)a", "$(touch pwned)b", "`touch pwned`a", "`touch pwned`b", "x;touch pwned;a", "x;touch pwned;b", "x\ntouch pwned\na", "-f", "~root"} {
		config.Contexts[name] = config.Contexts["plain"]
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		var out, errOut bytes.Buffer
		c := bare(&out, &errOut, "")
		c.Args = append([]string{"kubectl-vgr"}, args...)
		if code := plugin.Main(t.Context(), c); code != 0 {
			t.Fatal(errOut.String())
		}
		return out.String()
	}
	for name, text := range map[string]string{"script": run("completion", "bash"), "answer": run("__complete", "list", "--kubeconfig", file, "--context", "")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const session = `source ./script
kubectl-vgr() { [[ $1 == __complete ]] && cat answer; return 0; }
for cur in "" '$' $'\x60' x p d arn; do
	COMPREPLY=() words=(kubectl-vgr list --context "$cur") cword=3 prev=--context COMP_TYPE=9 COMP_LINE= COMP_POINT=0
	out=$(cat answer); directive=${out##*:}; out=${out%:*}
	__kubectl-vgr_process_completion_results >/dev/null 2>&1
	printf '%s\n' "${COMPREPLY[@]}"
	for reply in "${COMPREPLY[@]}"; do eval "kubectl-vgr list --context $reply" >/dev/null 2>&1; done;
done`
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", session)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Errorf("a context's name was run:\n%s", out)
	}
	if !strings.Contains(string(out), "plain") {
		t.Errorf("nothing is completed:\n%s", out)
	}
}
