// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package clierror is how a command ends when it does not end well: an exit code, one line that
// says what failed and where, and the next step. The codes are the contract of the command line.
package clierror

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes.
const (
	CodeOK           = 0
	CodeError        = 1 // wrong usage, or something unexpected
	CodeRefused      = 2 // a pre-check refused; nothing was changed
	CodeTimeout      = 3 // still running when the time was up
	CodeFailed       = 4 // failed, or degraded
	CodeNotConfirmed = 5
	CodeUnreachable  = 6 // a site that is needed cannot be reached
	CodeInterrupted  = 130
)

// Error is an error with an exit code and a next step.
type Error struct {
	Code    int
	Message string
	// Next is a command or a step, and others in its place in lines of their own; may be empty.
	Next string
}

// Error implements error.
func (f *Error) Error() string { return f.Message }

// New makes a Failure.
func New(code int, next, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Next: next}
}

// Refused returns a pre-check that said no.
func Refused(next, format string, args ...any) *Error {
	return New(CodeRefused, next, format, args...)
}

// Code returns the exit code for an error.
func Code(err error) int {
	var f *Error
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &f):
		return f.Code
	case errors.Is(err, context.Canceled):
		return CodeInterrupted
	default:
		return CodeError
	}
}

// Worst returns the error that decides the exit code of several: a failure before a timeout, and that
// before what was merely refused.
func Worst(errs []error) error {
	order := map[int]int{CodeInterrupted: 7, CodeFailed: 6, CodeError: 5, CodeUnreachable: 4, CodeTimeout: 3, CodeRefused: 2, CodeNotConfirmed: 1}
	var worst error
	for _, err := range errs {
		if err != nil && (worst == nil || order[Code(err)] > order[Code(worst)]) {
			worst = err
		}
	}
	return worst
}
