// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// pseudoTerminal is a terminal without a person at it, that passes on what is written.
func pseudoTerminal(t *testing.T) (reads, writes *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	var number, unlock int32
	for request, value := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, control.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Skip(errno)
		}
	}
	writes, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	if _, err := term.MakeRaw(int(writes.Fd())); err != nil {
		t.Fatal(err)
	}
	return control, writes
}

// TestHostileTerminal: where a person looks, a format for programs is made visible too.
func TestHostileTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.infest()
	for _, args := range [][]string{
		{"list", "-o", "jsonpath={.groups[*].sites[*].message}"},
		{"list", "-o", "go-template={{range .groups}}{{(index .sites 0).message}}{{end}}"},
		{"status", "-o", "json"},
		{"status", "-o", "yaml"},
		{"list"},
		{"status"},
		{"class", "list", "-o", "yaml"},
	} {
		reads, writes := pseudoTerminal(t)
		said := make(chan string)
		go func() {
			var all bytes.Buffer
			_, _ = io.Copy(&all, reads) // ends with an error when no program can write any more
			said <- all.String()
		}()
		env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8", "TERM": "xterm"}
		code := plugin.Main(t.Context(), plugin.Config{
			Args:      append([]string{"kubectl-vgr", "--kubeconfig", b.kubeconfig}, args...),
			IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: writes, ErrOut: writes},
			Getenv:    func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		})
		if err := writes.Close(); err != nil {
			t.Error(err)
		}
		text := <-said
		if code != 0 || !strings.Contains(text, `SMUGGLED`) {
			t.Errorf("%v: exit code %d, %q", args, code, text)
		}
		name, format, _ := strings.Cut(strings.Join(args, " "), " -o ")
		if strings.HasPrefix(format, "jsonpath") || strings.HasPrefix(format, "go-template") {
			text = strings.ReplaceAll(text, "\n", " ") // theirs
		}
		harmless(t, name+" "+format, text, format == "")
	}
}

// TestWaitingOnTerminal: the line that says which site is waited for is gone when the command says more.
func TestWaitingOnTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	hang, _ := b.gate("east")
	hang()
	reads, writes := pseudoTerminal(t)
	said := make(chan string)
	go func() {
		var all bytes.Buffer
		_, _ = io.Copy(&all, reads) // ends with an error when no program can write any more
		said <- all.String()
	}()
	env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}
	plugin.Main(t.Context(), plugin.Config{
		Args:      []string{"kubectl-vgr", "list", "--kubeconfig", b.kubeconfig, "--context", "west", "--peer-context", "gate-east", "--request-timeout", "1s"},
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: writes, ErrOut: writes},
		Getenv:    func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles, Patience: time.Millisecond,
	})
	if err := writes.Close(); err != nil {
		t.Error(err)
	}
	text := <-said
	if !strings.Contains(text, "waiting for gate-east") {
		t.Errorf("nothing says what is waited for: %q", text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if parts := strings.Split(line, "\r\x1b[K"); strings.Contains(parts[len(parts)-1], "waiting for") {
			t.Errorf("the line stays: %q", line)
		}
	}
}

// TestAlive: who gives up the writes of a source that answers sees so in red, and types it.
func TestAlive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// The storage last synchronised at a time.
	synced := func(at time.Time, is metav1.ConditionStatus, message string) {
		t.Helper()
		var g vgrv1.VolumeGroupReplication
		b.must(b.east.Get(t.Context(), keyOf("default", "orders"), &g))
		g.Status.StateSince, g.Status.LastSyncTime = new(metav1.NewTime(at.Add(-time.Hour))), new(metav1.NewTime(at))
		meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionReplicating, Status: is, Reason: "Replicating", Message: message})
		b.must(b.east.Status().Update(t.Context(), &g))
	}
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
	}
	b.volume(b.east, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
	b.volume(b.west, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.led(b.east, "orders")
	b.led(b.west, "orders")
	well := func() { synced(clock.RealClock{}.Now(), metav1.ConditionTrue, "volume is replicating") }
	for _, tc := range []struct {
		seen  func()
		says  string
		typed string
		code  int
	}{
		{well, "\x1b[31m  east is ALIVE, and its storage has reported no trouble so far: a planned failover (without --unplanned) loses nothing", "orders", 5},
		{
			func() { synced(clock.RealClock{}.Now().Add(-time.Hour), metav1.ConditionTrue, "volume is replicating") },
			"\x1b[31m  the API of east answers, but its storage may be dead: the last synchronisation is 1h", "orders", 5,
		},
		{
			func() { synced(clock.RealClock{}.Now(), metav1.ConditionUnknown, "no answer of the storage") },
			"\x1b[31m  the API of east answers, but its storage may be dead: the controller on east says: no answer of the storage. If its storage works, a planned failover", "orders", 5,
		},
		{well, "east is ALIVE", "lose data of east", 3},
	} {
		tc.seen()
		reads, writes := pseudoTerminal(t)
		said := make(chan string)
		go func() {
			var all bytes.Buffer
			_, _ = io.Copy(&all, reads) // ends with an error when no program can write any more
			said <- all.String()
		}()
		if _, err := io.WriteString(reads, tc.typed+"\n"); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8", "TERM": "xterm"}
		code := plugin.Main(t.Context(), plugin.Config{
			Args:      []string{"kubectl-vgr", "--kubeconfig", b.kubeconfig, "failover", "orders", "--peer-context", "west", "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--timeout", "2s"},
			IOStreams: genericiooptions.IOStreams{In: writes, Out: writes, ErrOut: writes},
			Getenv:    func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		})
		if err := writes.Close(); err != nil {
			t.Error(err)
		}
		text := <-said
		for _, want := range []string{tc.says, "\x1b[31m  data loss: what east wrote", "Type what you accept (lose data of east) to continue"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if code != tc.code {
			t.Errorf("typed %q: exit code %d, want %d\n%s", tc.typed, code, tc.code, text)
		}
	}
}

// TestWatchEnds: Ctrl-C of a watch is an interruption, q is not.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8", "TERM": "xterm"}
	run := func(ctx context.Context, streams genericiooptions.IOStreams) int {
		return plugin.Main(ctx, plugin.Config{
			Args:      []string{"kubectl-vgr", "--kubeconfig", b.kubeconfig, "list", "-w", "--peer-context", "west"},
			IOStreams: streams, Getenv: func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		})
	}
	for key, want := range map[string]int{"q": 0, "\x03": 130} {
		reads, writes := pseudoTerminal(t)
		go func() { _, _ = io.Copy(io.Discard, reads) }()
		if _, err := io.WriteString(reads, key); err != nil {
			t.Fatal(err)
		}
		if code := run(t.Context(), genericiooptions.IOStreams{In: writes, Out: writes, ErrOut: writes}); code != want {
			t.Errorf("%q: exit code %d, want %d", key, code, want)
		}
		_ = writes.Close()
	}
	var out bytes.Buffer
	interrupted, stop := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, stop)
	if code := run(interrupted, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}); code != 130 {
		t.Errorf("without a terminal: exit code %d\n%s", code, out.String())
	}
}

// TestLoginHoldsUpNoScreen: q and Ctrl-C end a screen, and Ctrl-C every wait before it, while a login plugin waits for its user.
func TestLoginHoldsUpNoScreen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	dir := t.TempDir()
	waits := filepath.Join(dir, "waits")
	b.must(os.WriteFile(waits, []byte("#!/bin/sh\necho open the browser >&2\nexec sleep 60\n"), 0o700)) //nolint:gosec // it is to be run
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	config.AuthInfos["west"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: waits, InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
	file := filepath.Join(dir, "kubeconfig")
	b.must(clientcmd.WriteToFile(*config, file))
	env := map[string]string{"KUBECONFIG": file, "HOME": b.home, "LANG": "C.UTF-8", "TERM": "xterm"}
	run := func(ctx context.Context, terminal *os.File, args ...string) int {
		return plugin.Main(ctx, plugin.Config{
			Args:      append([]string{"kubectl-vgr", "--kubeconfig", file, "--peer-context", "west", "--request-timeout", "2s"}, args...),
			IOStreams: genericiooptions.IOStreams{In: terminal, Out: terminal, ErrOut: terminal}, Getenv: func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		})
	}
	for name, tc := range map[string]struct {
		args []string
		key  string
		want int
	}{
		"screen, q":      {[]string{"tui"}, "q", 0},
		"screen, Ctrl-C": {[]string{"tui"}, "\x03", 0},
		"watch, q":       {[]string{"list", "-w"}, "q", 0},
		"watch, Ctrl-C":  {[]string{"list", "-w"}, "\x03", 130},
	} {
		t.Run(name, func(t *testing.T) {
			reads, writes := pseudoTerminal(t)
			shown := make(chan string, 1)
			go func() {
				var all bytes.Buffer
				part := make([]byte, 4096)
				for typed := false; ; {
					n, err := reads.Read(part)
					all.Write(part[:n])
					if !typed && bytes.Contains(all.Bytes(), []byte("orders")) && bytes.Contains(all.Bytes(), []byte("has not answered within")) {
						typed = true // the site that answers is shown, and what holds up the other one
						_, _ = io.WriteString(reads, tc.key)
					}
					if err != nil {
						shown <- all.String()
						return
					}
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			code := run(ctx, writes, tc.args...)
			_ = writes.Close()
			if text := <-shown; code != tc.want || ctx.Err() != nil {
				t.Errorf("exit code %d, want %d\n%q", code, tc.want, text)
			}
		})
	}
	for _, args := range [][]string{{"list"}, {"tui"}, {"failover", "orders", "--to", "west", "--yes"}, {"demote", "orders", "--yes"}, {"gather", "--dir", filepath.Join(dir, "report")}} {
		t.Run("Ctrl-C of "+args[0], func(t *testing.T) {
			reads, writes := pseudoTerminal(t)
			defer writes.Close()
			go func() { _, _ = io.Copy(io.Discard, reads) }()
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(300*time.Millisecond, interrupt)
			if code := run(ctx, writes, append(args, "--request-timeout", "50s")...); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
		})
	}
}
