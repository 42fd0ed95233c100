// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"k8s.io/apimachinery/pkg/api/resource"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Smaller is a PVC whose copy is smaller than its source.
type Smaller struct{ PVC, Source, Copy string }

// SmallerCopies compares the sizes of the volumes that both sites know. What was resized on one site keeps its old size
// on the other.
func SmallerCopies(source, copies []vgrv1.VolumeStatus) []Smaller {
	sizes := map[string]int64{}
	for _, v := range copies {
		if v.CapacityBytes != nil {
			sizes[v.Name] = *v.CapacityBytes
		}
	}
	var out []Smaller
	for _, v := range source {
		if size, known := sizes[v.Name]; known && v.CapacityBytes != nil && size < *v.CapacityBytes {
			out = append(out, Smaller{v.Name, quantity(*v.CapacityBytes), quantity(size)})
		}
	}
	return out
}

func quantity(bytes int64) string { return resource.NewQuantity(bytes, resource.BinarySI).String() }
