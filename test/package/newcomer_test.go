package package_test

import (
	"strings"
	"testing"
)

// TestNewcomer is what somebody does who tries Understudy on one node: the package, the
// switch, a daemon as the unit starts it beside Swift's object server, a look, a pause,
// a limit, a retry, a stop, and back to Swift. Each step must say what is written here.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.give("testdata/node.sh")
	r.give("testdata/confined.py")
	r.sh(install + " && /tmp/node.sh && understudy-switch on")
	r.sh("swift-object-server /etc/swift/object-server.conf </dev/null >/tmp/server.log 2>&1 & " + until("curl -s http://127.0.0.1:6210/healthcheck", "/tmp/server.log"))
	r.sh("python3 /tmp/confined.py /usr/lib/understudy/systemd/understudy.conf " + program + " /etc/swift/object-server.conf </dev/null >/tmp/daemon.log 2>&1 & " +
		"echo $! >/run/daemon.pid; " + until("understudy status", "/tmp/daemon.log"))
	r.sh(until("test -n \"$(find /srv/node/sdb/objects -name '*.data')\"", "/tmp/daemon.log"))
	for _, step := range []struct{ script, want string }{
		{"understudy status", "HEALTHY"},
		{"understudy status --json", `"state": "healthy"`},
		{"curl -s --unix-socket /var/cache/swift/understudy/control.sock http://node/ >/tmp/page.html && cat /tmp/page.html", "all is well"},
		{screenshot + " && head -c 4 /tmp/page.png", "PNG"},
		{"understudy pause device sda --for 30m", "sda"},
		{"understudy status", "PAUSED"},
		{"understudy limit --bytes 50M --jobs 4", "jobs 4, bytes_per_second 52428800"},
		{"understudy resume device sda", "sda"},
		{"understudy limit --reset", "limits of the configuration"},
		{"understudy retry", ""},
		{"understudy events", "pause device sda"},
		{"understudy status", "HEALTHY"},
		{"kill $(cat /run/daemon.pid); " + until("test ! -e /var/cache/swift/understudy/control.sock", "/tmp/daemon.log"), ""},
		{"understudy status 2>&1 || true", "control.sock"},
		{"understudy-switch off", "Swift's"},
		{"rm -rf /srv/node/sdb/objects; " + program + " /etc/swift/object-server.conf once; find /srv/node/sdb/objects -name '*.data'", ".data"},
	} {
		out := r.sh(step.script)
		t.Logf("# %s\n%s", step.script, out)
		if !strings.Contains(out, step.want) {
			t.Errorf("%s does not say %q", step.script, step.want)
		}
	}
}

// screenshot is a picture of the status page as it was a moment ago.
const screenshot = "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run" +
	" --disable-background-networking --disable-component-update --disable-sync --user-data-dir=/tmp/chromium --timeout=2000" +
	" --screenshot=/tmp/page.png file:///tmp/page.html >/tmp/chromium.log 2>&1"

// until waits for a command to succeed, half a minute at most, and shows a log if not.
func until(script, log string) string {
	return "n=0; until " + script + " >/dev/null; do n=$((n+1)); [ $n -lt 300 ] || { cat " + log + "; exit 1; }; sleep 0.1; done"
}
