// Package package_test installs the deb beside Debian's own swift-object: in a root of
// its own, an overlay over this machine's, so that the machine keeps its packages. In one
// of them systemd is init.
package package_test
