// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// suite is the release of Debian whose Ceph is taken.
const suite = "forky"

// packages are what runs a cluster, and what a directory needs to run anything. What else they need, apt finds.
func packages() []string {
	return []string{"base-files", "libc-bin", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "rbd-mirror", "python3-rbd"}
}

// build unpacks Debian's packages into a directory. They come from the mirror that this machine's apt uses, and
// nothing is installed: no script of a package runs.
func build(ctx context.Context, dir string, progress io.Writer) error {
	for _, name := range []string{"apt-get", "dpkg-deb", "tar"} {
		if _, err := exec.LookPath(name); err != nil {
			return &Unavailable{"neither Ceph 19.2 or later nor " + name + " is installed"}
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	release, err := lock(dir + ".lock")
	if err != nil {
		return err
	}
	defer release()
	if _, err := os.Stat(dir); err == nil {
		return nil // another process was faster
	}
	fmt.Fprintf(progress, "unpacking Debian's packages of Ceph into %s, once\n", dir)
	work := dir + ".new"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := unpack(ctx, filepath.Join(work, "apt"), filepath.Join(work, "root")); err != nil {
		return &Unavailable{"its packages cannot be unpacked: " + err.Error()}
	}
	return os.Rename(filepath.Join(work, "root"), dir)
}

func unpack(ctx context.Context, apt, root string) error {
	mirror, err := mirrorOf(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(apt, "lists", "partial"), filepath.Join(apt, "archives", "partial"), filepath.Join(root, "etc", "ceph")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"sources.list": "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " + mirror + " " + suite + " main\n",
		"status":       "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(apt, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	options := []string{
		"-qq", "-y",
		"-oDir::Etc::sourcelist=" + filepath.Join(apt, "sources.list"), "-oDir::Etc::sourceparts=/dev/null", "-oDir::Etc::preferencesparts=/dev/null",
		"-oDir::State::lists=" + filepath.Join(apt, "lists"), "-oDir::State::status=" + filepath.Join(apt, "status"), "-oDir::Cache=" + apt,
		"-oAPT::Install-Recommends=false", "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none",
		// The index of a release that is not out yet may be past its date.
		"-oAcquire::Check-Valid-Until=false",
	}
	if _, err := output(exec.CommandContext(ctx, "apt-get", append(options, "update")...)); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, "apt-get", slices.Concat(options, []string{"--download-only", "install"}, packages())...)); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(apt, "archives", "*.deb"))
	if err != nil {
		return err
	}
	// base-files first: it has the links from /bin and /lib, through which other packages unpack.
	const each = `dpkg-deb --fsys-tarfile "$2" | tar -x -C "$1" --keep-directory-symlink`
	for _, first := range []bool{true, false} {
		for _, archive := range archives {
			if strings.HasPrefix(filepath.Base(archive), "base-files_") != first {
				continue
			}
			if _, err := output(exec.CommandContext(ctx, "sh", "-ec", each, "sh", root, archive)); err != nil {
				return err
			}
		}
	}
	_, err = output(exec.CommandContext(ctx, "chroot", root, "ldconfig"))
	return err
}

// mirrorOf is where this machine's apt has Debian from.
func mirrorOf(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)/$(LABEL) $(REPO_URI)", "Created-By: Packages"))
	if err != nil {
		return "", err
	}
	return mirrorIn(string(out))
}

func mirrorIn(targets string) (string, error) {
	for line := range strings.Lines(targets) {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(line), "Debian/Debian "); ok {
			return uri, nil
		}
	}
	return "", fmt.Errorf("apt has no index of Debian: run apt-get update")
}

// lock makes the file this process's own until release, which also happens when the process dies.
func lock(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}
