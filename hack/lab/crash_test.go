// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// doomed in the environment makes this program a caller of the lab that is to be killed.
const doomed = "LAB_TEST_DOOMED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(doomed); dir != "" {
		l, err := lab.Start(context.Background(), lab.Options{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = json.NewEncoder(os.Stdout).Encode(pidsOf(l))
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// TestCrashOfTheCaller kills the program that started a lab, which then cannot clean up.
func TestCrashOfTheCaller(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two control planes")
	}
	caller := exec.CommandContext(t.Context(), os.Args[0])
	caller.Env = append(os.Environ(), doomed+"="+t.TempDir())
	caller.Stderr = t.Output()
	out, err := caller.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	if err := json.Unmarshal(line, &pids); err != nil {
		t.Fatal(err)
	}
	if len(pids) < 8 {
		t.Fatalf("the lab had %d processes", len(pids))
	}
	if err := caller.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = caller.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, pid := range pids {
		eventually(ctx, t, fmt.Sprintf("process %d to be gone", pid), func(context.Context) error {
			if runs(pid) {
				return fmt.Errorf("process %d survived its caller", pid)
			}
			return nil
		})
	}
}

// runs reports whether a process exists and has not ended: its parent may not collect it.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return alive(pid) && !os.IsNotExist(err)
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.HasPrefix(state, []byte("Z"))
}
