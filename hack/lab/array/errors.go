// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import (
	"errors"
	"fmt"
)

// Code classifies an error the way ceph-csi does, with the names of the gRPC codes.
type Code string

// The codes an array answers with.
const (
	NotFound           Code = "NOT_FOUND"
	InvalidArgument    Code = "INVALID_ARGUMENT"
	FailedPrecondition Code = "FAILED_PRECONDITION"
	Aborted            Code = "ABORTED"
	Internal           Code = "INTERNAL"
	Unavailable        Code = "UNAVAILABLE"
	// Unknown is the code of an error that is not the array's.
	Unknown Code = "UNKNOWN"
)

// Error is why an operation was refused.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return e.Message }

// CodeOf returns the code of an error, and empty for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return Unknown
	}
}

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
