// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/powerstore"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
	"github.com/unified-replication/kubectl-vgr/hack/lab/provisioner"
	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

// The processes of a site, in the order they are started.
const (
	Etcd       = "etcd"
	APIServer  = "apiserver"
	KCM        = "kcm"
	CSIAddons  = "csi-addons"
	Controller = "controller"
	// Ceph's are ceph.Daemons, where the clusters are real.
	// Dell's sidecar, and its controller between the sites; not started with the rest.
	DellReplicator            = "dell-csi-replicator"
	DellReplicationController = "dell-replication-controller"
)

// processNames returns all that a site may have, in the order they are started.
func processNames() []string {
	return slices.Concat(ceph.Daemons(), []string{Etcd, APIServer, KCM, CSIAddons, DellReplicator, DellReplicationController, Controller})
}

// Site is one control plane with what belongs to it.
type Site struct {
	Name string
	// Driver answers csi-addons; its Faults break single calls.
	Driver *driver.Server

	dir string
	// bare is true without our APIs.
	bare  bool
	ports ports
	storages
	dell   *powerstore.Driver // nil without
	netapp *netapp            // nil without
	plane  *controlPlane
	// proxy is for all clients outside, inside for our controller; nil without.
	proxy, inside *way
	processes     map[string]*process.Process
	// background ends the provisioner.
	background func()
}

// volumes are Ceph's as one site has them, simulated or real.
type volumes interface {
	driver.Storage
	provisioner.Images
	SetDaemon(ctx context.Context, up bool) error
	Attach(ctx context.Context, handle string, attached bool) error
	Write(ctx context.Context, handle string, n int64) error
}

// storages are what is behind a site's classes.
type storages struct {
	volumes    volumes
	powerstore *powerstore.Pair
	ontap      *trident.Pair
}

func newSite(name, dir string, p ports, s storages) *Site {
	return &Site{Name: name, dir: dir, ports: p, storages: s, processes: map[string]*process.Process{}, background: func() {}}
}

// start brings the site up, each step as soon as what it needs is there.
func (s *Site) start(ctx context.Context, l *process.Launcher, o Options) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	plane, err := newControlPlane(s.Name, s.dir, s.ports, o)
	if err != nil {
		return err
	}
	s.plane, s.bare = plane, o.Bare
	for name, spec := range plane.specs() {
		s.processes[name] = process.New(l, spec)
	}
	if s.proxy, err = plane.openWay(ctx, plane.ports.proxy); err != nil {
		return err
	}
	if o.ControllerBinary != "" {
		if s.inside, err = plane.openWay(ctx, plane.ports.controllerAPI); err != nil {
			return err
		}
	}
	if s.Driver, err = driver.Start(ctx, s.volumes); err != nil {
		return err
	}
	if o.Dell {
		if s.dell, err = powerstore.Serve(ctx, s.powerstore, s.Name, s.plane.dellSocket()); err != nil {
			return err
		}
	}
	if o.Trident {
		s.netapp = &netapp{log: o.Log}
	}
	for _, step := range []func(context.Context) error{s.startAPI, s.installAPIs, s.startTrident, s.startControllers, s.waitUntilConnected} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.Log, "site %s: API at https://%s\n", s.Name, s.proxy.Address())
	return nil
}

func (s *Site) startAPI(ctx context.Context) error {
	if err := s.processes[Etcd].Start(); err != nil {
		return err
	}
	if err := s.await(ctx, Etcd, s.plane.etcdReady); err != nil {
		return err
	}
	if err := s.processes[APIServer].Start(); err != nil {
		return err
	}
	return s.await(ctx, APIServer, s.plane.apiReady)
}

func (s *Site) startControllers(ctx context.Context) error {
	for _, name := range []string{KCM, CSIAddons, Controller} {
		if p := s.processes[name]; p != nil {
			if err := p.Start(); err != nil {
				return err
			}
		}
	}
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return err
	}
	s.provision(ctx, client)
	if s.processes[Controller] == nil {
		return nil
	}
	return s.await(ctx, Controller, s.plane.controllerReady)
}

// provision starts what serves claims.
func (s *Site) provision(ctx context.Context, client kubernetes.Interface) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	storages := map[string]provisioner.Storage{
		driver.Name: provisioner.Ceph{Images: s.volumes, Driver: driver.Name},
	}
	if simulated, ok := s.volumes.(driver.Simulated); ok {
		simulated.Fast = true
		storages[driver.FastName] = provisioner.Ceph{Images: simulated, Driver: driver.FastName}
	}
	if s.dell != nil {
		storages[powerstore.Name] = s.dell
	}
	if s.netapp != nil {
		storages[trident.Name] = s.netapp.trident
	}
	for name, storage := range storages {
		p := &provisioner.Provisioner{Client: client, Driver: name, Storage: storage}
		all.Go(func() {
			// It fails only before it begins, and then no claim gets bound, which every test notices.
			_ = p.Run(running)
		})
	}
	s.background = func() { cancel(); all.Wait() }
}

// await polls until ready succeeds; the error of a program that does not get ready has its log.
func (s *Site) await(ctx context.Context, name string, ready func(context.Context) error) error {
	const interval = 25 * time.Millisecond
	// A program that fails at once is started again each second; more than this is no bad luck.
	const attempts = 3
	p := s.processes[name]
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if p.State().Restarts >= attempts {
			return p.Explain(fmt.Errorf("it does not stay up: %w", err))
		}
		select {
		case <-ctx.Done():
			return p.Explain(errors.Join(ctx.Err(), err))
		case <-time.After(interval):
		}
	}
}

// close ends the site: controllers first, so that their last words still reach the API.
func (s *Site) close() error {
	s.background()
	s.StopTrident()
	var errs []error
	names := processNames()
	slices.Reverse(names)
	for _, name := range names {
		if p := s.processes[name]; p != nil {
			errs = append(errs, p.Kill(context.Background()))
		}
	}
	for _, w := range []*way{s.proxy, s.inside} {
		if w != nil {
			errs = append(errs, w.close())
		}
	}
	if s.Driver != nil {
		errs = append(errs, s.Driver.Stop())
	}
	if s.dell != nil {
		errs = append(errs, s.dell.Stop())
	}
	return errors.Join(errs...)
}

// RESTConfig returns an administrator's access through the proxy, as a person outside has it.
func (s *Site) RESTConfig() *rest.Config { return s.plane.adminConfig(s.proxy.Address()) }

// DirectRESTConfig returns an administrator's access that no cut affects, for assertions.
func (s *Site) DirectRESTConfig() *rest.Config { return s.plane.adminConfig(s.plane.apiAddress()) }

// ControllerConfig returns direct access as the user our controller runs as.
func (s *Site) ControllerConfig() *rest.Config { return s.plane.controllerConfig() }

// ControllerMetrics returns the address of our controller's metrics endpoint.
func (s *Site) ControllerMetrics() string { return s.plane.controllerMetrics() }

// Store returns the address of etcd, for who fills it faster than the API server would.
func (s *Site) Store() string { return "http://" + local(s.plane.ports.etcd) }

// Processes returns the state of each process.
func (s *Site) Processes() []process.State {
	var states []process.State
	for _, name := range processNames() {
		if p := s.processes[name]; p != nil {
			states = append(states, p.State())
		}
	}
	return states
}

// LogFile returns where a process writes.
func (s *Site) LogFile(name string) string {
	if p := s.processes[name]; p != nil {
		return p.Log()
	}
	return s.plane.logFile(name)
}

// StartProc starts a process that was stopped or killed. It does not wait until it is ready.
func (s *Site) StartProc(name string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	return p.Start()
}

// StopProc ends a process in good order; it stays down until it is started.
func (s *Site) StopProc(ctx context.Context, name string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	return p.Stop(ctx)
}

// Kill ends a process like a crash; it stays down until it is started.
func (s *Site) Kill(ctx context.Context, name string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	return p.Kill(ctx)
}

// WaitReady returns when the API server answers.
func (s *Site) WaitReady(ctx context.Context) error { return s.await(ctx, APIServer, s.plane.apiReady) }

func (s *Site) process(name string) (*process.Process, error) {
	p := s.processes[name]
	if p == nil {
		return nil, fmt.Errorf("site %q has no process %q; it has %s", s.Name, name, strings.Join(slices.Sorted(maps.Keys(s.processes)), ", "))
	}
	return p, nil
}
