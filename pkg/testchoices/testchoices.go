// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package testchoices turns the bytes of a fuzzer into choices, for tests: what JSON that was changed at random
// would hardly ever say, such as two sites that contradict each other in valid words.
package testchoices

// Source has the choices that are left. When there are none, it takes the first of everything.
type Source struct{ data []byte }

// From makes a source.
func From(data []byte) *Source { return &Source{data} }

// N returns below n.
func (s *Source) N(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// Yes is false or true.
func (s *Source) Yes() bool { return s.N(2) == 1 }

// Of returns one of all.
func Of[T any](s *Source, all ...T) T { return all[s.N(len(all))] }
