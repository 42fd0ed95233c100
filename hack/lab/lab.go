// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package lab runs two Kubernetes control planes on this machine, "east" and "west", whose storage
// is one pair of mirrored Ceph clusters, simulated or real, driven by the real csi-addons controller manager, and
// on demand pairs of PowerStore arrays and ONTAP clusters. Tests start it in their own process, people with the lab command. It is no cluster: there are no
// nodes, and Pods do not run.
package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/powerstore"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

// The two sites.
const (
	East = "east"
	West = "west"
)

// Options describes a lab. The zero value is a lab without our controller.
type Options struct {
	// ControllerBinary is vgr-controller; when empty, none runs.
	ControllerBinary string
	// Bare leaves our APIs, roles and namespace out: clusters on which nothing of ours is installed.
	Bare bool
	// ControllerArgs are added to the controller's flags.
	ControllerArgs []string
	// Dir holds everything the lab writes. When empty it is a temporary directory that Close removes.
	Dir string
	// People are users without any permission on both sites, each with a kubeconfig: KubeconfigOf.
	People []string
	// Dell adds two PowerStore arrays to the sites, with Dell's own controllers.
	Dell bool
	// Ceph are the programs of two real Ceph clusters, which then are behind Ceph's class; when nil, the array is
	// simulated. There are no fast volumes then.
	Ceph *ceph.Programs
	// VendorBuild has the simulated Ceph mirror groups, as some vendors' does; see array.Options. The fast storage does.
	VendorBuild bool
	// Trident adds two ONTAP clusters to the sites, with a stand-in for Trident.
	Trident bool
	// TransferTime is how long a snapshot takes between the sites; one second when zero.
	TransferTime time.Duration
	// StatusInterval is how often the mirroring daemons of Ceph look at a volume and tell of it; rbd-mirror's default
	// of 30 seconds when zero. The fast storage has its own.
	StatusInterval time.Duration
	// Assets are the programs to run; when nil they are built or taken from the cache.
	Assets *assets.Set
	// Log gets progress lines. May be nil.
	Log io.Writer
}

// Lab is a running pair of sites.
type Lab struct {
	// Array is the Ceph storage behind both sites, PowerStore Dell's and ONTAP NetApp's.
	// Real are two real clusters, nil without; the array is then empty.
	Array      *array.Array
	Real       *ceph.Pair
	PowerStore *powerstore.Pair
	ONTAP      *trident.Pair

	dir       string
	temporary bool
	launcher  *process.Launcher
	sites     []*Site
}

// Start returns when both sites are ready to use. The context bounds the start only; Close ends
// the lab.
func Start(ctx context.Context, o Options) (*Lab, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Assets == nil {
		set, err := defaultAssets(ctx, o)
		if err != nil {
			return nil, err
		}
		o.Assets = set
	}
	if o.ControllerBinary != "" {
		if o.Bare {
			return nil, errors.New("a lab without our APIs cannot run our controller")
		}
		path, err := filepath.Abs(o.ControllerBinary)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		o.ControllerBinary = path
	}
	l := &Lab{dir: o.Dir, launcher: process.NewLauncher()}
	if err := l.start(ctx, o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func defaultAssets(ctx context.Context, o Options) (*assets.Set, error) {
	options, err := assets.DefaultOptions(os.Getenv)
	if err != nil {
		return nil, err
	}
	options.Progress, options.Programs = o.Log, assets.ForLab(o.Dell)
	set, err := assets.Ensure(ctx, options)
	return &set, err
}

func (l *Lab) start(ctx context.Context, o Options) error {
	if l.dir == "" {
		dir, err := os.MkdirTemp("", "vgr-lab-")
		if err != nil {
			return err
		}
		l.dir, l.temporary = dir, true
	}
	l.Array = array.New(array.Options{
		Sites: [2]array.Site{East, West}, Clock: clock.RealClock{}, TransferTime: o.TransferTime, StatusInterval: o.StatusInterval, VendorBuild: o.VendorBuild,
	})
	l.PowerStore, l.ONTAP = powerstore.New([2]string{East, West}), trident.NewPair(o.TransferTime)
	names := []string{East, West}
	ports, err := choosePorts(len(names))
	if err != nil {
		return err
	}
	for i, name := range names {
		l.sites = append(l.sites, newSite(name, filepath.Join(l.dir, name), ports[i], storages{driver.Simulated{Array: l.Array, Site: array.Site(name)}, l.PowerStore, l.ONTAP}))
	}
	started := time.Now()
	errs := make([]error, len(l.sites)+1)
	var all sync.WaitGroup
	if o.Ceph != nil {
		l.realCeph(*o.Ceph)
		all.Go(func() { errs[len(l.sites)] = l.Real.Start(ctx, cmp.Or(o.StatusInterval, array.DefaultStatusInterval)) })
	}
	for i, site := range l.sites {
		all.Go(func() {
			if err := site.start(ctx, l.launcher, o); err != nil {
				errs[i] = fmt.Errorf("site %q: %w", site.Name, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if l.Real != nil {
		for i, site := range l.sites {
			if err := site.startJobs(ctx, l.Real[i]); err != nil {
				return fmt.Errorf("site %q: Jobs of rehearsals: %w", site.Name, err)
			}
		}
	}
	if o.Dell {
		for i, site := range l.sites {
			if err := site.connectDell(ctx, l.sites[1-i]); err != nil {
				return fmt.Errorf("site %q: Dell: %w", site.Name, err)
			}
		}
	}
	fmt.Fprintf(o.Log, "both sites are ready after %s\n", time.Since(started).Round(100*time.Millisecond))
	for _, person := range o.People {
		config := l.kubeconfig(func(s *Site) *rest.Config { return s.plane.config(person, s.proxy.Address()) })
		if err := clientcmd.WriteToFile(*config, l.KubeconfigOf(person)); err != nil {
			return err
		}
	}
	return clientcmd.WriteToFile(*l.kubeconfig((*Site).RESTConfig), l.Kubeconfig())
}

// Site returns a site by name, or nil when there is none of that name.
func (l *Lab) Site(name string) *Site {
	for _, s := range l.sites {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Sites returns both sites.
func (l *Lab) Sites() []*Site { return l.sites }

// Dir returns where the lab keeps its files.
func (l *Lab) Dir() string { return l.dir }

// Kubeconfig returns the file with the contexts of both sites.
func (l *Lab) Kubeconfig() string { return filepath.Join(l.dir, "kubeconfig") }

// KubeconfigOf returns the same for one of the lab's people.
func (l *Lab) KubeconfigOf(person string) string { return filepath.Join(l.dir, "kubeconfig-"+person) }

// Close ends everything the lab started and waits until it is gone.
func (l *Lab) Close() error {
	errs := make([]error, len(l.sites))
	var all sync.WaitGroup
	for i, site := range l.sites {
		all.Go(func() { errs[i] = site.close() })
	}
	all.Wait()
	l.launcher.Close()
	err := errors.Join(errs...)
	if l.temporary {
		err = errors.Join(err, os.RemoveAll(l.dir))
	}
	return err
}
