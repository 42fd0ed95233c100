// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// DriverUser is who ceph-csi's provisioner is to Ceph, with the capabilities that Rook gives it.
const DriverUser = "csi-rbd-provisioner"

// DriverKey returns that user's key.
func (c *Cluster) DriverKey(ctx context.Context) ([]byte, error) {
	if err := c.run(ctx, "ceph", "auth", "get-or-create", "client."+DriverUser, "mon", `profile rbd, allow command "osd blocklist"`, "mgr", "allow rw", "osd", "profile rbd"); err != nil {
		return nil, err
	}
	return c.output(ctx, "ceph", "auth", "get-key", "client."+DriverUser)
}

// DriverConfig is what ceph-csi knows of the cluster.
func (c *Cluster) DriverConfig() string {
	return fmt.Sprintf(`[{"clusterID":%q,"monitors":["v2:127.0.0.1:%d"]}]`, clusterID, c.port)
}

// Job is the container of a Pod, as far as a lab without nodes can run it: beside Ceph's programs, with a /tmp of its own,
// and without the administrator's key.
type Job struct {
	// Dir holds what it finds in /tmp.
	Dir     string
	Command []string
	Env     []string
}

// Run returns what it prints and how it ends.
func (c *Cluster) Run(ctx context.Context, j Job) (out []byte, code int, err error) {
	etc := filepath.Join(j.Dir, "..", "etc")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		return nil, 0, err
	}
	path, args := c.programs.command(etc, j.Command[0], j.Command[1:]...)
	// The first words of the script mount the configuration; /tmp is mounted before.
	for i, arg := range args {
		if strings.HasPrefix(arg, "mount --bind") {
			args[i] = `mount --bind "$VGR_LAB_TMP" "$2/tmp"; ` + arg
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "VGR_LAB_TMP=" + j.Dir}, j.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err = cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, exit.ExitCode(), nil
	}
	return out, 0, err
}

// Export writes an image to a file.
func (c *Cluster) Export(ctx context.Context, image, file string) error {
	path, args := c.programs.command(c.dir, "rbd", "--no-progress", "export", Pool+"/"+image, "-")
	to, err := os.Create(file)
	if err != nil {
		return err
	}
	defer to.Close()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout = to
	return cmd.Run()
}
