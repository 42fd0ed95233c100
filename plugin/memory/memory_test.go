// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/memory"
)

const east, west = "east", "west"

var (
	noon      = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	addresses = map[string]string{east: "https://east.example.com:6443", west: "https://west.example.com:6443"}
)

// seen is an overview in which west is as given: it answers and has the group as primary, or does not answer.
func seen(at time.Time, westAnswers bool, names ...string) overview.Overview {
	o := overview.Overview{ObservedAt: metav1.NewTime(at), Sites: []overview.Site{{Name: east, Answered: true}, {Name: west, Answered: westAnswers}}}
	for _, name := range names {
		g := overview.Group{Namespace: "shop", Name: name, Sites: []overview.GroupSite{{Site: east, Exists: true, State: vgrv1.StateSecondary}, {Site: west}}}
		if westAnswers {
			g.Sites[1] = overview.GroupSite{
				Site: west, Exists: true, State: vgrv1.StatePrimary, LastSyncTime: new(metav1.NewTime(at.Add(-19 * time.Second))), Volumes: make([]vgrv1.VolumeStatus, 3),
			}
		}
		o.Groups = append(o.Groups, g)
	}
	return o
}

// command is what one command does with its memory.
func command(dir string, o overview.Overview) overview.Overview {
	m := memory.Open(dir, addresses)
	m.Refresh(&o)
	m.Save()
	return o
}

func TestMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "seen")
	command(dir, seen(noon, true, "db"))
	command(dir, seen(noon.Add(time.Second), true, "other")) // that one command has not read db forgets nothing

	o := command(dir, seen(noon.Add(time.Minute), false, "db", "new"))
	want := &overview.Remembered{SeenAt: metav1.NewTime(noon), State: vgrv1.StatePrimary, LastSyncTime: new(metav1.NewTime(noon.Add(-19 * time.Second))), Volumes: 3}
	if got := o.Groups[0].Sites[1].Remembered; !cmp.Equal(got, want) {
		t.Errorf("db on west: %+v, want %+v", got, want)
	}
	if got := o.Groups[1].Sites[1].Remembered; got != nil {
		t.Errorf("new was never seen on west: %+v", got)
	}
	if got := o.Groups[0].Sites[0].Remembered; got != nil {
		t.Errorf("east answers: %+v", got)
	}

	gone := seen(noon.Add(2*time.Minute), true, "db")
	gone.Groups[0].Sites[1] = overview.GroupSite{Site: west}
	command(dir, gone)
	if got := command(dir, seen(noon.Add(3*time.Minute), false, "db")).Groups[0].Sites[1].Remembered; got != nil {
		t.Errorf("db was seen to be gone: %+v", got)
	}
}

// TestFollowed: a command that follows the sites remembers by itself, also without a file.
func TestFollowed(t *testing.T) {
	m := memory.Open(t.TempDir(), addresses)
	o := seen(noon, true, "db")
	m.Refresh(&o)
	o = seen(noon.Add(time.Second), false, "db")
	m.Refresh(&o)
	if got := o.Groups[0].Sites[1].Remembered; got == nil || !got.SeenAt.Time.Equal(noon) {
		t.Errorf("db on west: %+v", got)
	}
}

func TestSaveSometimes(t *testing.T) {
	dir := t.TempDir()
	m := memory.Open(dir, addresses)
	files := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		return len(found)
	}
	o := seen(noon, true, "db")
	m.Refresh(&o)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {time.Second, 0}, {time.Minute, 2}} {
		m.SaveSometimes(noon.Add(step.after))
		if got := files(); got != step.want {
			t.Errorf("after %s: %d files written, want %d", step.after, got, step.want)
		}
	}
}

// TestForItsOwner: no other user reads what a memory says, and it does not grow without a limit.
func TestForItsOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seen")
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("db-%04d", i))
	}
	command(dir, seen(noon, true, names...))
	command(dir, seen(noon.Add(time.Second), true, "latest"))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, path := range append(files, dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 || !info.IsDir() && info.Size() > 1<<20 {
			t.Errorf("%s: %s, %d bytes", path, info.Mode(), info.Size())
		}
	}
	o := command(dir, seen(noon.Add(time.Minute), false, append(names, "latest")...))
	known := 0
	for _, g := range o.Groups {
		if g.Sites[1].Remembered != nil {
			known++
		}
	}
	if last := o.Groups[3000].Sites[1].Remembered; known != 2000 || last == nil {
		t.Errorf("%d groups are remembered, want 2000 with the latest: %+v", known, last)
	}
}

// TestNoMemory: a file that is not ours, a directory that cannot be made and no home are a memory of nothing.
func TestNoMemory(t *testing.T) {
	dir := t.TempDir()
	command(dir, seen(noon, true, "db"))
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, content := range []string{"", "{", `{"address":"https://another.example.com","groups":[{"namespace":"shop","name":"db","seenAt":"2026-11-28T12:00:00Z","state":"Primary"}]}`, "[]"} {
		for _, f := range files {
			if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := seen(noon, false, "db")
		memory.Open(dir, addresses).Refresh(&o)
		if got := o.Groups[0].Sites[1].Remembered; got != nil {
			t.Errorf("from %q: %+v", content, got)
		}
	}
	for _, dir := range []string{"", filepath.Join(files[0], "below-a-file")} {
		command(dir, seen(noon, true, "db"))
		if got := command(dir, seen(noon, false, "db")).Groups[0].Sites[1].Remembered; got != nil {
			t.Errorf("in %q: %+v", dir, got)
		}
	}
}

func TestDir(t *testing.T) {
	for _, test := range []struct{ state, home, want string }{
		{"/s", "/home/me", "/s/kubectl-vgr/seen"},
		{"relative", "/home/me", "/home/me/.local/state/kubectl-vgr/seen"},
		{"", "/home/me", "/home/me/.local/state/kubectl-vgr/seen"},
		{"", "", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": test.state, "HOME": test.home}
		if got := memory.Dir(func(k string) string { return env[k] }); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// TestAsking: of a site that may still answer nothing is recalled.
func TestAsking(t *testing.T) {
	dir := t.TempDir()
	command(dir, seen(noon, true, "db"))
	o := seen(noon.Add(time.Minute), false, "db")
	o.Sites[1].Problem = overview.SiteAsking
	if got := command(dir, o).Groups[0].Sites[1].Remembered; got != nil {
		t.Errorf("db on west: %+v", got)
	}
}
