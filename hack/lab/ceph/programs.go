// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package ceph runs a pair of real Ceph clusters that mirror RBD images to each other, and answers for ceph-csi
// on top of them: the programs are Ceph's, the rules of the driver are pure functions over what rbd shows.
package ceph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// configDir is where all of Ceph's programs find the configuration of their own cluster. rbd-mirror takes no
// other place for it, so each program runs with the directory of its site mounted there.
const configDir = "/etc/ceph"

// Programs are Ceph's: those of this machine, or those below a directory.
type Programs struct {
	// Root is the directory, and empty for this machine.
	Root string
}

// Options says where the programs may be.
type Options struct {
	// Cache is where the directory with Ceph's packages is made.
	Cache string
	// Progress gets a line when the directory is made. May be nil.
	Progress io.Writer
}

// Unavailable says why Ceph cannot run on this machine.
type Unavailable struct{ Reason string }

func (e *Unavailable) Error() string { return "Ceph cannot run here: " + e.Reason }

// oldest is the first version with what the lab asks for.
var oldest = [2]int{19, 2} //nolint:gochecknoglobals // a constant, which Go has none of for arrays

// Find returns the programs and makes the directory if need be. Its error is *Unavailable where that is impossible.
func Find(ctx context.Context, o Options) (Programs, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if os.Geteuid() != 0 {
		return Programs{}, &Unavailable{"mount namespaces and chroot need root"}
	}
	if installed := (Programs{}); installed.usable(ctx) == nil {
		return installed, nil
	}
	p := Programs{Root: filepath.Join(o.Cache, "ceph-"+suite)}
	if _, err := os.Stat(p.Root); err != nil {
		if err := build(ctx, p.Root, o.Progress); err != nil {
			return Programs{}, err
		}
	}
	if err := p.usable(ctx); err != nil {
		return Programs{}, &Unavailable{err.Error()}
	}
	return p, nil
}

// usable runs one of the programs in the way that all of them will run.
func (p Programs) usable(ctx context.Context) error {
	if p.Root == "" {
		for _, name := range []string{"ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "rbd", "rbd-mirror"} {
			if _, err := exec.LookPath(name); err != nil {
				return err
			}
		}
	}
	dir, err := os.MkdirTemp("", "vgr-ceph-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, args := p.command(dir, "rbd", "--version")
	out, err := output(exec.CommandContext(ctx, path, args...))
	if err != nil {
		return err
	}
	return checkVersion(string(out))
}

// checkVersion reads what rbd --version prints.
func checkVersion(text string) error {
	found := regexp.MustCompile(`version (\d+)\.(\d+)`).FindStringSubmatch(text)
	if found == nil {
		return fmt.Errorf("no version in %q", strings.TrimSpace(text))
	}
	major, _ := strconv.Atoi(found[1]) // digits
	minor, _ := strconv.Atoi(found[2])
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		return fmt.Errorf("version %s.%s is older than %d.%d", found[1], found[2], oldest[0], oldest[1])
	}
	return nil
}

// command is a program with its arguments in a mount namespace of its own, where the directory is configDir. The
// shell is replaced twice, so that signals and the kernel's death signal reach the program itself.
func (p Programs) command(dir, name string, args ...string) (path string, all []string) {
	script := `mount --bind "$1" "$2` + configDir + `"; `
	if p.Root == "" {
		script += `shift 2; exec "$@"`
	} else {
		script += `mount --rbind /dev "$2/dev"; mount -t proc none "$2/proc"; root=$2; shift 2; exec chroot "$root" "$@"`
	}
	return "unshare", append([]string{"-m", "sh", "-ec", script, "sh", dir, p.Root, name}, args...)
}

// output is what a command prints; its error has what it prints about that.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if text := bytes.TrimSpace(exit.Stderr); len(text) > 0 {
			return out, fmt.Errorf("%w: %s", err, text)
		}
	}
	return out, err
}
