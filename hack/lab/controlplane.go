// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/pki"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

// Namespaces and users of the controllers, those of their usual installation.
const (
	csiAddonsNamespace  = "csi-addons-system"
	csiAddonsAccount    = "csi-addons-controller-manager"
	controllerNamespace = "vgr-system"
	controllerAccount   = "vgr-controller"
)

// controlPlane knows how the programs of a site are configured; it runs none of them.
type controlPlane struct {
	site   string
	dir    string
	assets assets.Set
	ports  ports

	controller     string
	controllerArgs []string
	dell           bool
	people         []string

	authority *pki.Authority
	server    pki.Pair
	users     map[string]pki.Pair
}

const (
	adminUser      = "lab-admin"
	kcmUser        = "system:kube-controller-manager"
	csiAddonsUser  = "system:serviceaccount:" + csiAddonsNamespace + ":" + csiAddonsAccount
	controllerUser = "system:serviceaccount:" + controllerNamespace + ":" + controllerAccount
)

func newControlPlane(site, dir string, p ports, o Options) (*controlPlane, error) {
	c := &controlPlane{
		site: site, dir: dir, assets: *o.Assets, controller: o.ControllerBinary, controllerArgs: o.ControllerArgs, dell: o.Dell,
		people: o.People, ports: p, users: map[string]pki.Pair{},
	}
	if err := c.writeCredentials(); err != nil {
		return nil, err
	}
	return c, nil
}

// writeCredentials makes the certificates and writes the files the programs read.
func (c *controlPlane) writeCredentials() error {
	var err error
	if c.authority, err = pki.NewAuthority("lab-"+c.site, time.Now()); err != nil {
		return err
	}
	groups := map[string][]string{
		adminUser:      {"system:masters"},
		kcmUser:        {"system:masters"},
		csiAddonsUser:  accountGroups(csiAddonsNamespace),
		controllerUser: accountGroups(controllerNamespace),
	}
	for _, user := range c.people {
		groups[user] = []string{"system:authenticated"}
	}
	for user, memberOf := range groups {
		if c.users[user], err = c.authority.Client(user, memberOf...); err != nil {
			return err
		}
	}
	if c.server, err = c.authority.Server(); err != nil {
		return err
	}
	private, public, err := pki.SigningKey()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"ca.crt": c.authority.Cert(), "apiserver.crt": c.server.Cert, "apiserver.key": c.server.Key,
		"sa.key": private, "sa.pub": public, "audit.yaml": []byte(auditPolicy(c.people)),
	}
	for name, data := range files {
		if err := os.WriteFile(c.file(name), data, 0o600); err != nil {
			return err
		}
	}
	for name, config := range map[string]*rest.Config{
		KCM: c.config(kcmUser, c.apiAddress()), CSIAddons: c.config(csiAddonsUser, c.apiAddress()),
		Controller: c.config(controllerUser, local(c.ports.controllerAPI)), // its requests can go wrong
	} {
		config := kubeconfigOf(config, c.site)
		if err := clientcmd.WriteToFile(*config, c.kubeconfigFile(name)); err != nil {
			return err
		}
	}
	return nil
}

// accountGroups returns the groups a service account's token would have.
func accountGroups(namespace string) []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
}

// specs returns the processes of the site; the controller is there only when one was given.
func (c *controlPlane) specs() map[string]process.Spec {
	specs := map[string]process.Spec{
		Etcd:      c.spec(Etcd, c.assets.Path(assets.Etcd), c.etcdArgs()),
		APIServer: c.spec(APIServer, c.assets.Path(assets.APIServer), c.apiServerArgs()),
		KCM:       c.spec(KCM, c.assets.Path(assets.ControllerManager), c.kcmArgs()),
		CSIAddons: c.spec(CSIAddons, c.assets.Path(assets.CSIAddonsManager), c.csiAddonsArgs()),
	}
	if c.dell {
		maps.Copy(specs, c.dellSpecs())
	}
	if c.controller != "" {
		specs[Controller] = c.spec(Controller, c.controller, c.controllerFlags())
	}
	return specs
}

func (c *controlPlane) spec(name, path string, args []string) process.Spec {
	return process.Spec{Name: name, Path: path, Args: args, Log: c.logFile(name)}
}

func (c *controlPlane) file(name string) string           { return filepath.Join(c.dir, name) }
func (c *controlPlane) logFile(process string) string     { return c.file(process + ".log") }
func (c *controlPlane) kubeconfigFile(name string) string { return c.file(name + ".kubeconfig") }
func (c *controlPlane) apiAddress() string                { return local(c.ports.api) }
func (c *controlPlane) controllerMetrics() string {
	return "http://" + local(c.ports.controllerMetrics) + "/metrics"
}

func (c *controlPlane) adminConfig(address string) *rest.Config {
	config := c.config(adminUser, address)
	config.QPS = -1 // assertions should not wait for their own limiter
	return config
}

func (c *controlPlane) controllerConfig() *rest.Config {
	return c.config(controllerUser, c.apiAddress())
}

func (c *controlPlane) config(user, address string) *rest.Config {
	pair := c.users[user]
	return &rest.Config{
		Host:            "https://" + address,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.authority.Cert(), CertData: pair.Cert, KeyData: pair.Key},
	}
}

func (c *controlPlane) etcdReady(ctx context.Context) error {
	return getOK(ctx, "http://"+local(c.ports.etcd)+"/health")
}

func (c *controlPlane) controllerReady(ctx context.Context) error {
	return getOK(ctx, "http://"+local(c.ports.controllerHealth)+"/readyz")
}

func (c *controlPlane) apiReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.adminConfig(c.apiAddress()))
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func getOK(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
