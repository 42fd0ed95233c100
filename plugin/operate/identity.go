// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"crypto/rand"
	"encoding/hex"
)

// NewID returns what tells an operation, or a process, from all others.
func NewID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
