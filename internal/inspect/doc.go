// Package inspect looks at a node's disks and rings and tells what is there and what
// the engine would do about it. It changes nothing: it takes no lock, caches no
// hashes, cleans nothing up and quarantines nothing, and it needs no running engine.
// What it decides it leaves to the packages that the engine has its decisions from.
package inspect
