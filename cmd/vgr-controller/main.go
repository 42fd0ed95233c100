// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command vgr-controller reconciles VolumeGroupReplications and VolumeReplications of one
// cluster. Everything else is in pkg/controller.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/controller"
	"github.com/unified-replication/kubectl-vgr/pkg/stalltimeout"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
)

type options struct {
	metrics, probes string
	metricsSecure   bool
	metricsCertDir  string
	leaderElect     bool
	leaderNamespace string
	backends        string
}

func main() {
	klog.InitFlags(flag.CommandLine)
	log.SetLogger(klog.NewKlogr())
	var o options
	flag.StringVar(&o.metrics, "metrics-bind-address", ":8443", "address that serves metrics; 0 turns it off")
	flag.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve metrics over HTTPS, and only to clients that may get /metrics in this cluster; false serves plain HTTP to every client")
	flag.StringVar(&o.metricsCertDir, "metrics-cert-dir", "", "directory with tls.crt and tls.key for the metrics; a self-signed certificate when empty")
	flag.StringVar(&o.probes, "health-probe-bind-address", ":8081", "address that serves /healthz and /readyz; 0 turns it off")
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "act only while holding the Lease, so that several replicas can run")
	flag.StringVar(&o.leaderNamespace, "leader-elect-namespace", "", "namespace of the Lease; inside a cluster the Pod's own by default")
	flag.StringVar(&o.backends, "backends", "", "backends to serve, separated by commas; all when empty")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Println(version.Get().Version)
		return
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		err = fmt.Errorf("no cluster configured: %w", err)
	} else {
		err = run(ctrl.SetupSignalHandler(), config, o)
	}
	if err != nil {
		klog.ErrorS(err, "vgr-controller ends")
		klog.Flush()
		os.Exit(1)
	}
}

// requestTimeout is a little longer than an API server itself lets a request last.
const requestTimeout = 65 * time.Second

func run(ctx context.Context, config *rest.Config, o options) error {
	config.UserAgent = "vgr-controller/" + version.Get().Version
	config.QPS, config.Burst = 100, 200 // the server's own priority and fairness is the real limit
	// Else a request that is never answered keeps its group, and a worker, for ever.
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return stalltimeout.Transport{Next: next, Bound: requestTimeout}
	})
	mgr, err := ctrl.NewManager(config, managerOptions(o))
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	crds := controller.CRDs{Reader: mgr.GetAPIReader(), Cache: mgr.GetCache()}
	if err := crds.Check(ctx); err != nil {
		return err
	}
	if err := mgr.Add(crds); err != nil {
		return err
	}
	served, err := serve(o.backends, drivers.All())
	if err != nil {
		return err
	}
	var running []controller.Backend
	for _, d := range served {
		running = append(running, controller.Backend{Profile: d.Profile, Adapter: d.New(mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{})})
	}
	backends := controller.NewBackends(mgr, running...)
	base := controller.Reconciler{
		Client: mgr.GetClient(), Backends: backends, Clock: clock.RealClock{},
		Events: mgr.GetEventRecorder("vgr-controller"),
	}
	if err := controller.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, r := range []*controller.Reconciler{base.ForGroups(), base.ForVolumes()} {
		if err := r.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	list := func(l client.ObjectList) error { return mgr.GetCache().List(ctx, l, client.UnsafeDisableDeepCopy) }
	if err := metrics.Registry.Register(controller.NewMetrics(list, mgr.Elected(), version.Get().Version)); err != nil {
		return err
	}
	klog.InfoS("vgr-controller starts", "version", version.Get().Version)
	return mgr.Start(ctx)
}

// serve takes the backends that are named. A controller without permissions for one must not try it.
func serve(names string, all []backend.Driver) ([]backend.Driver, error) {
	if names == "" {
		return all, nil
	}
	var out []backend.Driver
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(d backend.Driver) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--backends: there is no backend %q", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// metricsOptions has clients prove who they are, unless plain HTTP was asked for: metrics name namespaces and groups.
func metricsOptions(o options) server.Options {
	m := server.Options{BindAddress: o.metrics, SecureServing: o.metricsSecure, CertDir: o.metricsCertDir}
	if o.metricsSecure {
		m.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return m
}

func managerOptions(o options) ctrl.Options {
	scheme := runtime.NewScheme()
	kinds := []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, vgrv1.AddToScheme}
	for _, d := range drivers.All() {
		kinds = append(kinds, d.AddToScheme)
	}
	for _, add := range kinds {
		utilruntime.Must(add(scheme))
	}
	grace := 10 * time.Second
	return ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsOptions(o),
		HealthProbeBindAddress:        o.probes,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "vgr-controller",
		LeaderElectionNamespace:       o.leaderNamespace,
		LeaderElectionReleaseOnCancel: true, // run returns right after, so nothing acts without the Lease
		LeaderElectionLabels:          map[string]string{vgrv1.LabelVersion: version.Get().Label()},
		GracefulShutdownTimeout:       &grace,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.PersistentVolume{}:                  {Transform: controller.TrimVolume},
				&corev1.PersistentVolumeClaim{}:             {Transform: controller.TrimClaim},
				&apiextensionsv1.CustomResourceDefinition{}: {Transform: controller.TrimCRD},
			},
		},
	}
}
