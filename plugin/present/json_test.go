// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

type object struct{ overview.Overview }

func (o *object) DeepCopyObject() runtime.Object { return o }

// TestJSON expects, byte for byte, what kubectl's printer makes of the whole.
func TestJSON(t *testing.T) {
	for _, n := range []int{0, 1, 300} {
		var groups []vgrv1.VolumeGroupReplication
		for i := range n {
			groups = append(groups, primary(fmt.Sprintf("group-%d <&>\u2028", i), time.Minute))
		}
		o := overview.Build([]overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}, Groups: groups}}, now)
		var want, got bytes.Buffer
		if err := new(printers.JSONPrinter).PrintObj(&object{o}, &want); err != nil {
			t.Fatal(err)
		}
		if err := present.JSON(&got, o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("%d groups (-kubectl's +ours):\n%s", n, diff)
		}
	}
}

type full int

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestJSONFull expects the error of the writer, whenever it comes.
func TestJSONFull(t *testing.T) {
	o := overview.Build([]overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{primary("db", time.Minute), primary("web", time.Minute)}}}, now)
	for writes := range 4 {
		if err := present.JSON(new(full(writes)), o); !errors.Is(err, errFull) {
			t.Errorf("after %d writes: %v", writes, err)
		}
	}
	if err := present.JSON(new(full(4)), o); err != nil {
		t.Error(err)
	}
}
