#!/bin/sh
# Makes sure that the programs which the tests run against are there: Swift's object
# server, replicator and tools, rsync, what gives every test cluster an /etc/swift of
# its own, what disks are made with that can be made sick, what counts and filters
# system calls, a browser for the status page, promtool for the alerts, and what checks
# packages and units. As root on Debian it
# installs what is missing; otherwise it says what to install and fails. It never
# passes by leaving something out.
set -eu

packages="swift-object python3-swift rsync util-linux mount xfsprogs gcc libc6-dev strace chromium fonts-dejavu-core systemd rpm curl python3-seccomp groff-base"

missing() {
	for tool in /usr/bin/swift-object-server /usr/bin/swift-object-replicator /usr/bin/swift-recon \
		/usr/bin/python3 /usr/bin/rsync unshare nsenter findmnt mount mkfs.xfs xfs_io xfs_freeze gcc strace /usr/bin/chromium promtool systemd-analyze rpm curl groff; do
		command -v "$tool" >/dev/null || echo "$tool"
	done
	if [ -x /usr/bin/python3 ] && ! /usr/bin/python3 -c 'import swift.obj.replicator' 2>/dev/null; then
		echo "the Python package swift for /usr/bin/python3"
	fi
	if [ -x /usr/bin/python3 ] && ! /usr/bin/python3 -c 'import seccomp' 2>/dev/null; then
		echo "the Python package seccomp for /usr/bin/python3"
	fi
	id swift >/dev/null 2>&1 || echo "the user swift"
	[ -d /etc/swift ] || echo "the folder /etc/swift"
	[ -c /dev/fuse ] || echo "the device /dev/fuse"
}

lacking=$(missing)
if [ -n "$lacking" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "test/install.sh: installing $packages"
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $packages; }; then
		echo "test/install.sh: apt-get could not install $packages" >&2
		exit 1
	fi
	# promtool alone: the package would start a Prometheus on this machine.
	if ! command -v promtool >/dev/null; then
		download=$(mktemp -d)
		chmod 755 "$download"
		if ! (cd "$download" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb . && install usr/bin/promtool /usr/local/bin/promtool); then
			echo "test/install.sh: promtool could not be taken from the package prometheus" >&2
			exit 1
		fi
		rm -r "$download"
	fi
	lacking=$(missing)
fi
if [ -n "$lacking" ]; then
	{
		echo "test/install.sh: the tests need, and this machine lacks:"
		echo "$lacking" | sed 's/^/  /'
		echo "Install them, on Debian or Ubuntu as root:"
		echo "  apt-get install --no-install-recommends $packages"
		echo "and promtool, of the package prometheus"
	} >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "test/install.sh: the tests against real Swift need root: private mounts, and daemons that drop to the user swift" >&2
	exit 1
fi
if ! unshare -m --propagation private true; then
	echo "test/install.sh: unshare -m does not work here: the test clusters need private mounts (CAP_SYS_ADMIN)" >&2
	exit 1
fi
