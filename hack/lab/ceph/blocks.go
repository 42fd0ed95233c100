// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

// blocks writes numbered blocks through librbd and finds them again.
//
//go:embed blocks.py
var blocks string

// Run are blocks that one writer wrote, without a gap.
type Run struct {
	Run   string `json:"run"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

// Blocks are what an image holds.
type Blocks struct {
	Runs []Run `json:"runs"`
	// Damaged are the numbers of blocks that are not as they were written.
	Damaged []int `json:"damaged"`
}

// Last is the last block of a run, and zero when none is there.
func (b Blocks) Last(run string) int {
	last := 0
	for _, r := range b.Runs {
		if r.Run == run {
			last = max(last, r.Last)
		}
	}
	return last
}

// Gapless reports whether the image holds all blocks up to its last one, each as it was written.
func (b Blocks) Gapless() bool {
	next := 1
	for _, r := range b.Runs {
		if r.First != next {
			return false
		}
		next = r.Last + 1
	}
	return len(b.Damaged) == 0
}

// Blocks reads an image.
func (c *Cluster) Blocks(ctx context.Context, handle string) (Blocks, error) {
	var b Blocks
	err := c.decode(ctx, &b, "python3", "-c", blocks, "read", Pool, imageOf(handle))
	return b, err
}

// Write writes n blocks after the last one.
func (c *Cluster) Write(ctx context.Context, handle string, n int64) error {
	return c.run(ctx, "python3", "-c", blocks, "write", Pool, imageOf(handle), c.Site, strconv.FormatInt(n, 10), "0")
}

// Load overwrites random parts of an image for a time, so that each snapshot has much to transfer. What it writes is no block.
func (c *Cluster) Load(ctx context.Context, handle string, lasts time.Duration) error {
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		if err := c.run(ctx, "rbd", "bench", "--io-type", "write", "--io-pattern", "rand", "--io-size", "64K", "--io-threads", "4", "--io-total", "32M", spec(handle)); err != nil {
			return err
		}
	}
	return nil
}

// Checksum is that of the whole image.
func (c *Cluster) Checksum(ctx context.Context, handle string) (string, error) {
	path, args := c.programs.command(c.dir, "rbd", "--no-progress", "export", spec(handle), "-")
	hash := sha256.New()
	cmd := exec.CommandContext(ctx, path, args...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = hash, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("export %s on %s: %w: %s", spec(handle), c.Site, err, stderr.String())
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// Acknowledged is a block that the storage has.
type Acknowledged struct {
	Number int
	// At is soon after.
	At time.Time
}

// Writer writes blocks until it is stopped or refused.
type Writer struct {
	Run   string
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
	// acknowledged is complete when it has ended.
	acknowledged []Acknowledged
	// stderr has the reason when the storage refused.
	stderr bytes.Buffer
}

// StartWriter begins to write, after what is there, a block each pause.
func (c *Cluster) StartWriter(ctx context.Context, handle, run string, pause time.Duration) (*Writer, error) {
	path, args := c.programs.command(c.dir, "python3", "-u", "-c", blocks, "write", Pool, imageOf(handle), run, "0", fmt.Sprint(pause.Seconds()))
	w := &Writer{Run: run, cmd: exec.CommandContext(ctx, path, args...)}
	w.cmd.Stderr = &w.stderr
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdin, w.ended = stdin, make(chan struct{})
	lines := bufio.NewScanner(stdout)
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("write to %s on %s: %w", spec(handle), c.Site, err)
	}
	if !lines.Scan() { // the image is open, and the first block acknowledged
		return nil, errors.Join(fmt.Errorf("write to %s on %s: no block was acknowledged; the volume may be full: %s", spec(handle), c.Site, w.stderr.String()), w.cmd.Wait())
	}
	go func() {
		defer close(w.ended)
		for ok := true; ok; ok = lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				w.acknowledged = append(w.acknowledged, Acknowledged{Number: n, At: time.Now()})
			}
		}
	}()
	return w, nil
}

// Stop ends the writer and returns what was acknowledged, and why it had ended already.
func (w *Writer) Stop() (all []Acknowledged, refused error) {
	_ = w.stdin.Close() // it ends by that
	<-w.ended
	if err := w.cmd.Wait(); err != nil {
		return w.acknowledged, fmt.Errorf("%w: %s", err, bytes.TrimSpace(w.stderr.Bytes()))
	}
	return w.acknowledged, nil
}
