package bootstrap

import "runtime/debug"

// Version is what peers and swift-recon are told in the place of Swift's version.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "understudy-" + info.Main.Version
	}
	return "understudy-(devel)"
}
