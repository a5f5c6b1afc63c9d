package package_test

import (
	"strings"
	"testing"
)

// TestNode is one storage node from packages only: Swift's replicator and
// then ours by the same command; ours and our server under the confinement of their units.
// What tells whose pass it was is the recon file, where ours names its devices.
func TestNode(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.give("testdata/node.sh")
	r.give("testdata/confined.py")
	r.sh(install + " && /tmp/node.sh")
	if out := r.sh("understudy config check /etc/swift/object-server.conf && understudy config check --server /etc/swift/understudy-server.conf"); strings.Contains(out, "error") {
		t.Errorf("config check: %s", out)
	}
	const (
		once    = "rm -f /var/cache/swift/object.recon; rm -rf /srv/node/sdb/objects; swift-object-replicator /etc/swift/object-server.conf once; "
		whose   = "grep -q understudy_devices /var/cache/swift/object.recon && echo ours || echo stock"
		serve   = "python3 /tmp/confined.py /lib/systemd/system/understudy-serve.service /usr/bin/understudy serve /etc/swift/understudy-server.conf </dev/null >/tmp/serve.log 2>&1 & "
		arrived = "; test -n \"$(find /srv/node/sdb/objects -name '*.data')\""
	)
	if err := r.command("python3 /tmp/confined.py /usr/lib/understudy/systemd/understudy.conf /usr/bin/unshare --user true").Run(); err == nil {
		t.Error("the confinement confines nothing")
	}
	r.sh(serve + until("curl -fs http://127.0.0.1:6210/healthcheck", "/tmp/serve.log"))
	for _, step := range []struct{ name, script, want string }{
		{"before the switch", once + whose + arrived, "stock"},
		{"after the switch", "understudy-switch on >/dev/null; " + once + whose + arrived, "ours"},
		{"as the unit has it", "rm -rf /srv/node/sdb/objects /var/cache/swift/object.recon; python3 /tmp/confined.py /usr/lib/understudy/systemd/understudy.conf " +
			program + " /etc/swift/object-server.conf --once; " + whose + arrived, "ours"},
		{"after the roll back", "understudy-switch off >/dev/null; " + once + whose + arrived, "stock"},
	} {
		if out := r.sh(step.script); !strings.HasSuffix(out, step.want) {
			t.Errorf("%s: %s, want %s", step.name, out, step.want)
		}
	}
}
