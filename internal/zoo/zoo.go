//go:build !bugzoo

// Package zoo tells whether this program is one of those that are broken on purpose. A
// suite of tests is worth what it catches: each bug of the zoo is one that replicators
// have had, or nearly, and a test must find it (make zoo).
//
// A program that is built as usual has none of them: Bug is a false that the compiler
// knows, so neither the check nor what it guards is in it. Built with the tag bugzoo it
// has the bug that the environment names in UNDERSTUDY_BUG.
package zoo

// Bug is false.
func Bug(string) bool { return false }

// RemoveTree does nothing.
func RemoveTree(string) error { return nil }
