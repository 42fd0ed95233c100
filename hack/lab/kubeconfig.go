// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"maps"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigOf writes a rest.Config as a kubeconfig with one context of the given name.
func kubeconfigOf(c *rest.Config, context string) *clientcmdapi.Config {
	cluster, user := "lab-"+context, "lab-"+context+"-admin"
	return &clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{cluster: {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{user: {ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}},
		Contexts: map[string]*clientcmdapi.Context{
			context: {Cluster: cluster, AuthInfo: user, Namespace: "default"},
		},
		CurrentContext: context,
	}
}

// kubeconfig merges both sites, with the first as current context.
func (l *Lab) kubeconfig(access func(*Site) *rest.Config) *clientcmdapi.Config {
	merged := clientcmdapi.NewConfig()
	for _, site := range l.sites {
		config := kubeconfigOf(access(site), site.Name)
		maps.Copy(merged.Clusters, config.Clusters)
		maps.Copy(merged.AuthInfos, config.AuthInfos)
		maps.Copy(merged.Contexts, config.Contexts)
	}
	merged.CurrentContext = l.sites[0].Name
	return merged
}
