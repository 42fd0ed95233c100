// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// shifted serves a site with another clock: it answers with other dates.
func shifted(t *testing.T, b *bench, site string, by *atomic.Int64) *httptest.Server {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveClientConfig(*must(clientcmd.LoadFromFile(b.kubeconfig)), site, nil, nil).ClientConfig()
	b.must(err)
	over, err := rest.TransportFor(config)
	b.must(err)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(config.Host)))
	proxy.Transport = over
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(time.Duration(by.Load())).UTC().Format(http.TimeFormat)) //nolint:forbidigo // of a real answer
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s
}

// TestTwoClocks: west's clock is hours from that of east and of this machine. What west says is judged by west's clock; a
// time to come by that clock is no age.
func TestTwoClocks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var ahead atomic.Int64
	proxy := shifted(t, b, "west", &ahead)
	config := must(clientcmd.LoadFromFile(b.kubeconfig))
	config.Clusters["west"] = &clientcmdapi.Cluster{Server: proxy.URL}
	config.AuthInfos["west"] = &clientcmdapi.AuthInfo{}
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "1h"}}}))
		b.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vgr-system"}}))
	}
	b.group(b.east, "db", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.group(b.west, "db", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	lease := func(c client.Client, at time.Time) {
		t.Helper()
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "vgr-system", Name: "vgr-controller"}}
		err := c.Get(t.Context(), client.ObjectKeyFromObject(l), l)
		l.Spec = coordinationv1.LeaseSpec{HolderIdentity: new("the test"), LeaseDurationSeconds: new(int32(15)), RenewTime: new(metav1.NewMicroTime(at))}
		if err != nil {
			b.must(c.Create(t.Context(), l))
			return
		}
		b.must(c.Update(t.Context(), l))
	}
	type site struct {
		Site              string
		ClockAheadSeconds *int64
	}
	type overviewed struct {
		Sites []struct {
			Name       string
			Controller struct{ Silent bool }
		}
		Groups []struct {
			LagSeconds *int64
			Verdict    struct{ Phase, Message string }
			Sites      []site
		}
	}
	const clocks = "the clocks"
	for name, tc := range map[string]struct {
		// clock is how far west's clock is ahead; synced and renewed are how long ago, by that clock, west's storage synchronised
		// and its controller renewed its Lease.
		clock, synced, renewed time.Duration
		silent, apart          bool
	}{
		"alike":                             {0, 10 * time.Minute, 0, false, false},
		"west is ahead":                     {3 * time.Hour, 10 * time.Minute, 0, false, false},
		"west is behind":                    {-3 * time.Hour, 10 * time.Minute, 0, false, false},
		"west's storage is ahead of it":     {0, -2 * time.Hour, 0, false, true},
		"both are ahead, the storage more":  {3 * time.Hour, -2 * time.Hour, 0, false, true},
		"west is behind its storage":        {-3 * time.Hour, -3 * time.Hour, 0, false, true},
		"west's controller has ended":       {3 * time.Hour, 10 * time.Minute, 3 * time.Hour, true, false},
		"west's controller's clock differs": {-3 * time.Hour, 10 * time.Minute, -3 * time.Hour, true, false},
	} {
		ahead.Store(int64(tc.clock))
		by := time.Now().Add(tc.clock) //nolint:forbidigo // the plugin reads the clock of this machine
		lease(b.east, time.Now())      //nolint:forbidigo // as above
		lease(b.west, by.Add(-tc.renewed))
		var g vgrv1.VolumeGroupReplication
		b.must(b.west.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "db"}, &g))
		g.Status.StateSince, g.Status.SyncTimeBefore, g.Status.LastSyncTime = new(metav1.NewTime(by.Add(-24*time.Hour))), nil, new(metav1.NewTime(by.Add(-tc.synced)))
		g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", State: vgrv1.StatePrimary, Health: vgrv1.HealthHealthy, LastSyncTime: g.Status.LastSyncTime}}
		b.must(b.west.Status().Update(t.Context(), &g))

		r := b.vgr("list", "-o", "json", "--peer-context", "west")
		var o overviewed
		if err := json.Unmarshal([]byte(r.out), &o); err != nil || len(o.Groups) != 1 || len(o.Sites) != 2 {
			t.Errorf("%s: %v\n%s%s", name, err, r.out, r.errOut)
			continue
		}
		group := o.Groups[0]
		switch lag := group.LagSeconds; {
		case tc.apart && (lag != nil || !strings.Contains(r.out, clocks)):
			t.Errorf("%s: a lag of a time to come: %v, %+v", name, lag, group.Verdict)
		case !tc.apart && (lag == nil || *lag < 600 || *lag > 3600):
			t.Errorf("%s: lag %v, want ten minutes", name, lag)
		}
		if silent := o.Sites[1].Controller.Silent; silent != tc.silent || o.Sites[0].Controller.Silent {
			t.Errorf("%s: is west's controller silent? %v; east's? %v", name, silent, o.Sites[0].Controller.Silent)
		}
		move := b.vgr("failover", "db", "--to", "east", "--unplanned", "--accept-data-loss", "30m", "--peer-context", "west", "--dry-run=client")
		if tc.apart && (move.code != 2 || !strings.Contains(move.errOut, clocks)) {
			t.Errorf("%s: the loss cannot be known: exit code %d\n%s", name, move.code, move.errOut)
		}
		if !tc.apart && strings.Contains(move.errOut, clocks) {
			t.Errorf("%s: exit code %d\n%s", name, move.code, move.errOut)
		}
	}

	// What was seen is dated by the clock of this machine, whatever the site's is.
	ahead.Store(int64(-48 * time.Hour))
	if r := b.vgr("list", "--peer-context", "west"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.errOut)
	}
	proxy.Close()
	if r := b.vgr("status", "db", "--peer-context", "west"); !strings.Contains(r.out, "west was last seen ") || strings.Contains(r.out, "last seen 2d") || strings.Contains(r.out, "last seen 48h") {
		t.Errorf("what was seen before:\n%s%s", r.out, r.errOut)
	}
}
