//go:build !nofaults

package bootstrap

// FaultsBuilt tells whether this build can make things go wrong on purpose. One with the
// tag nofaults has nothing of it.
const FaultsBuilt = true
