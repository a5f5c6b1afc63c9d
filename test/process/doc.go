// Package process tests the replicator as a process: our real program in its own
// mount namespace, started, watched, signalled and killed as systemd, swift-init
// and an operator do it.
package process
