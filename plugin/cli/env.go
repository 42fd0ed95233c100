// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package cli is what every command has: streams, output formats, selection of groups, dry run, confirmation, completion, and errors
// with exit code and next step.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/memory"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Env is what every command gets from main.
type Env struct {
	// IOStreams let through only text, and the colours that are wanted.
	genericiooptions.IOStreams
	// Raw are the streams as they are, for screens that move the cursor and for formats that programs read.
	Raw      genericiooptions.IOStreams
	Sites    *site.Connector
	Profiles backend.Profiles
	Clock    clock.WithTicker
	Getenv   func(string) string
	// Color is the value of --color.
	Color string
	// Root is the root command, whose flags printed commands repeat.
	Root *cobra.Command
	// Executable is the path of this program, for completion install.
	Executable func() (string, error)
	// RunCommand runs another command of the plugin, and returns its exit code.
	RunCommand func(ctx context.Context, args []string, s Screen) int
	// Screen is set in a command that another one runs.
	Screen *Screen

	progressing sync.Mutex
	waits       *waiting
}

// Screen is what a command that another one runs has instead of a terminal.
type Screen struct {
	// Out takes all that it says.
	Out io.Writer
	// Confirm has the user type a word, and returns whether that was done.
	Confirm func(want string) bool
	// Progress shows how far groups have come.
	Progress func([]present.Progress)
}

// Guard has all output pass present.Guard on its way to the raw streams, and commands in it get the flags that the user gave.
func (e *Env) Guard() {
	e.waits = &waiting{e: e, slow: map[string]int{}, told: map[string]bool{}}
	e.IOStreams = genericiooptions.IOStreams{
		In: e.Raw.In, Out: commandWriter{e, e.waits.above(present.Guard(e.Raw.Out, e.Colours))},
		ErrOut: commandWriter{e, e.waits.above(present.Guard(e.Raw.ErrOut, func() bool { return e.ErrStyle().Color }))},
	}
}

// Colours reports whether standard output has colours.
func (e *Env) Colours() bool {
	s, err := e.Style()
	return err == nil && s.Color
}

// Data returns where formats for programs go: as they are, unless they go to a terminal.
func (e *Env) Data() io.Writer {
	if terminal, _ := e.OutTerminal(); terminal {
		return present.Guard(e.Raw.Out, func() bool { return false })
	}
	return e.Raw.Out
}

// Progress returns where waits tell what they see, several at the same time, line by line.
func (e *Env) Progress() io.Writer { return lineWriter{&e.progressing, e.ErrOut} }

type lineWriter struct {
	mu  *sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (w lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// OutTerminal reports whether standard output is a terminal, and how wide.
func (e *Env) OutTerminal() (bool, int) {
	f, ok := e.Raw.Out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, 80
	}
	return true, width
}

// Style returns how standard output looks.
func (e *Env) Style() (present.Style, error) {
	terminal, width := e.OutTerminal()
	s, err := present.StyleFor(e.Color, e.Getenv, terminal, width)
	if err != nil {
		return s, clierror.New(clierror.CodeError, "leave it out, or use --color=never", "%v", err)
	}
	return s, nil
}

// ErrStyle returns how messages look: without colours unless standard error is a terminal too.
func (e *Env) ErrStyle() present.Style {
	s, err := e.Style()
	f, ok := e.Raw.ErrOut.(*os.File)
	if err != nil || !ok || !term.IsTerminal(int(f.Fd())) {
		s.Color, s.Width = e.Color == "always", 0
		return s
	}
	s.Width, _, _ = term.GetSize(int(f.Fd())) // 0 is not limited
	return s
}

// Pair is this site and, if one is known, its peer.
type Pair struct {
	Here *site.Site
	Peer *site.Site
}

// Pair returns this site and its peer, as far as flags, environment or groups name one.
func (e *Env) Pair(ctx context.Context) (Pair, error) {
	here, err := e.Sites.Here()
	if err != nil {
		return Pair{}, err
	}
	peer, err := e.Sites.Peer(ctx, here)
	return Pair{here, peer}, err
}

// All returns the sites that are known, this one first.
func (p Pair) All() []*site.Site {
	if p.Peer == nil {
		return []*site.Site{p.Here}
	}
	return []*site.Site{p.Here, p.Peer}
}

// Memory returns what this machine has seen of sites before.
func (e *Env) Memory(sites []*site.Site) *memory.Memory {
	addresses := map[string]string{}
	for _, s := range sites {
		addresses[s.Name] = s.Endpoint()
	}
	return memory.Open(memory.Dir(e.Getenv), addresses)
}

// Login lets login plugins say and ask what they have to, before a screen is drawn.
func (p Pair) Login(ctx context.Context) {
	var asked sync.WaitGroup
	for _, s := range p.All() {
		asked.Go(func() { s.Login(ctx) })
	}
	asked.Wait()
}

// Distinct identifies both clusters and refuses two contexts that are one. Without the permission
// to read kube-system it says so instead.
func (p Pair) Distinct(ctx context.Context) (hereUID, peerUID string, err error) {
	if hereUID, err = p.Here.UID(ctx); err != nil {
		return "", "", SiteError(ctx, p.Here, "read namespace kube-system", err)
	}
	if p.Peer == nil {
		return hereUID, "", nil
	}
	if peerUID, err = p.Peer.UID(ctx); err != nil {
		return hereUID, "", SiteError(ctx, p.Peer, "read namespace kube-system", err)
	}
	if hereUID == peerUID {
		return "", "", p.Alike(ctx, hereUID)
	}
	return hereUID, peerUID, nil
}

// Alike refuses two contexts whose clusters have the same identity: they are one cluster, or one was restored from a
// backup of the other. What tells such clusters apart is kept in the cluster, and not said to a command: two contexts of
// one cluster stay one, whatever it is called.
func (p Pair) Alike(ctx context.Context, uid string) error {
	const other = "name the other site with --peer-context"
	uid, name, _ := strings.Cut(uid, "/")
	rename, called := "", recovery.ShellQuote(p.Peer.Name)
	if name != "" {
		rename, called = " --overwrite", "NAME"
	} else if len(validation.IsDNS1123Label(p.Peer.Name)) > 0 {
		called = "NAME"
	}
	command := fmt.Sprintf("kubectl --context %s annotate%s namespace kube-system %s=%s", p.Peer.Kubectl(), rename, vgrv1.AnnotationClusterName, called)
	switch {
	case site.Apart(ctx, p.Here, p.Peer):
		return clierror.Refused(command+" tells them apart", "contexts %s and %s are two clusters with the same identity, the UID %s of the namespace kube-system: one was restored from a backup of the other",
			p.Here.Name, p.Peer.Name, uid)
	case p.Here.Endpoint() == p.Peer.Endpoint():
		return clierror.Refused(other, "contexts %s and %s are the same cluster", p.Here.Name, p.Peer.Name)
	default:
		return clierror.Refused(other+"; if one cluster was restored from a backup of the other: "+command,
			"contexts %s and %s are the same cluster: the namespace kube-system has the UID %s at %s and at %s", p.Here.Name, p.Peer.Name, uid, p.Here.Endpoint(), p.Peer.Endpoint())
	}
}

// Once refuses an overview in which a group is the same object on both sites, unless the clusters are known to be two.
func (p Pair) Once(ctx context.Context, o overview.Overview) error {
	if p.Peer == nil || !o.Twice() {
		return nil
	}
	var refused *clierror.Error
	switch uid, _, err := p.Distinct(ctx); {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == clierror.CodeRefused:
		return err
	default: // the user may not identify the clusters
		return p.Alike(ctx, uid)
	}
}
