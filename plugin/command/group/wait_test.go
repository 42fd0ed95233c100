// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestRemoved: a deletion is over when the group is gone, and says meanwhile who keeps it, never what was said before.
func TestRemoved(t *testing.T) {
	now := metav1.Now()
	deleted := func(generation int64, reason string, finalizers ...string) *vgrv1.VolumeGroupReplication {
		g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{UID: "a", Generation: 2, DeletionTimestamp: &now, Finalizers: finalizers}}
		g.Status.Conditions = []metav1.Condition{{Type: vgrv1.ConditionReady, Reason: reason, Message: "said", ObservedGeneration: generation}}
		return g
	}
	again := deleted(2, vgrv1.ReasonDeleting, vgrv1.Finalizer)
	again.UID = "b"
	here := deleted(2, vgrv1.ReasonPromoted, vgrv1.Finalizer)
	here.DeletionTimestamp = nil
	for name, tc := range map[string]struct {
		g    *vgrv1.VolumeGroupReplication
		want await.Outcome
	}{
		"gone":                      {nil, await.Outcome{Done: true}},
		"made again":                {again, await.Outcome{Done: true}},
		"not deleted yet":           {here, await.Outcome{Says: "waiting for the controller"}},
		"what was said before":      {deleted(1, vgrv1.ReasonPromoted, vgrv1.Finalizer), await.Outcome{Says: "waiting for the controller"}},
		"waiting for the backend":   {deleted(2, vgrv1.ReasonDeleting, vgrv1.Finalizer), await.Outcome{Says: "Deleting: said"}},
		"blocked":                   {deleted(2, vgrv1.ReasonDeletionBlocked, vgrv1.Finalizer), await.Outcome{Says: "DeletionBlocked: said", Failing: true}},
		"kept by another finalizer": {deleted(1, vgrv1.ReasonDeleting, "other/hold"), await.Outcome{Says: "deleted; the controller has released it, and another tool's finalizer keeps it: other/hold"}},
	} {
		if got := removed(tc.g, "a"); got != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// hurried is a clock whose pauses are short.
type hurried struct{ clock.RealClock }

func (hurried) After(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }

// TestWatchForbidden: a wait that may not watch says so once, and keeps asking.
func TestWatchForbidden(t *testing.T) {
	var asked atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 50 {
			cancel()
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Message: "you may not watch", Code: http.StatusForbidden,
		})
	}))
	defer web.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: east, clusters: [{name: east, cluster: {server: %q}}], contexts: [{name: east, context: {cluster: east}}]}`, web.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &file
	s, err := (&site.Connector{Flags: flags, Env: func(string) string { return "" }, Clock: clock.RealClock{}}).Here()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := await.Waiter{Site: s, Key: client.ObjectKey{Namespace: "a", Name: "db"}, Clock: hurried{}, Out: &out, Judge: await.Reaches(vgrv1.Primary), ResumeCommand: "again"}
	if err := w.Run(ctx); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("it ends with %v", err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 1 || !strings.Contains(lines[0], "lost the watch: you may not watch") {
		t.Errorf("after %d attempts it has said:\n%s", asked.Load(), out.String())
	}
}
