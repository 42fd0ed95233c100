// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

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
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// hurried is a clock whose pauses are short.
type hurried struct{ clock.RealClock }

func (hurried) After(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }

// TestWatchForbidden: a wait that may not watch says so once, and goes on asking.
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
	w := waiter{site: s, key: client.ObjectKey{Namespace: "a", Name: "db"}, clock: hurried{}, out: &out, judge: reaches(vgrv1.Primary), again: "again"}
	if err := w.run(ctx); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("it ends with %v", err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 1 || !strings.Contains(lines[0], "lost the watch: you may not watch") {
		t.Errorf("after %d attempts it has said:\n%s", asked.Load(), out.String())
	}
}
