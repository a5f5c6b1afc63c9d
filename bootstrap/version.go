package bootstrap

import "runtime/debug"

// release is the version of a package; packaging/build.sh sets it.
var release string

// Version is what peers and swift-recon are told in the place of Swift's version.
func Version() string {
	if release != "" {
		return "understudy-" + release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "understudy-" + info.Main.Version
	}
	return "understudy-(devel)"
}
