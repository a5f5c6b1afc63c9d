//go:build bugzoo

package zoo

import "os"

var bug = os.Getenv("UNDERSTUDY_BUG")

// Bug tells whether this process has a bug.
func Bug(name string) bool { return name == bug }

// RemoveTree is what no program of ours may do: it removes a directory with all that is
// in it by now.
func RemoveTree(path string) error { return os.RemoveAll(path) }
