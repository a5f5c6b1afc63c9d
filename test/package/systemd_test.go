package package_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// boot makes systemd the root's init, in a control group of its own. As in any container
// the kernel's settings are read-only and devices are few. Nothing of the host's file
// systems can be changed but the folders of the test. Of what a machine starts at its
// boot there is the journal alone.
const boot = `
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
rm -f etc/fstab
find usr/lib/systemd/system/*.wants etc/systemd/system/*.wants -type l ! -name 'systemd-journald*' -delete
mount -t cgroup2 cgroup "$BASE/cgroup"
mkdir "$BASE/cgroup/$GROUP"
echo 0 >"$BASE/cgroup/$GROUP/cgroup.procs"
exec unshare --cgroup sh -euc '
	umount "$BASE/cgroup"
	mount -t cgroup2 cgroup sys/fs/cgroup
	pivot_root . mnt
	umount -l mnt
	echo ready
	exec env -i container=test /usr/lib/systemd/systemd --system --unit=basic.target --log-target=journal </dev/null >/dev/null 2>&1'
`

// newMachine is a root in which systemd runs.
func newMachine(t *testing.T) *root {
	t.Helper()
	group := fmt.Sprintf("understudy-test-%d", os.Getpid())
	t.Cleanup(func() { leaveNoGroup(t, group) })
	r := newRootWith(t, "GROUP="+group+boot)
	r.sh(until("systemctl is-system-running | grep -E '^(running|degraded)$'", "/dev/null"))
	return r
}

// leaveNoGroup removes the control groups of a machine that ends.
func leaveNoGroup(t *testing.T, group string) {
	t.Helper()
	script := `mount -t cgroup2 cgroup "$0"; ` + until(`find "$0/$1" -depth -type d -exec rmdir {} +`, "/dev/null")
	if out, err := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-euc", script, t.TempDir(), group).CombinedOutput(); err != nil {
		t.Errorf("remove the control group %s: %v: %s", group, err, out)
	}
}

// unit is Debian's own, and instance one of its template.
const (
	unit     = "swift-object-replicator"
	instance = unit + "@1"
)

// pid and whose are of the unit's main process.
const (
	pid   = "$(systemctl show -P MainPID " + unit + ")"
	whose = "if [ $(readlink /proc/" + pid + "/exe) = " + ours + " ]; then echo ours; else echo stock; fi"
)

// again waits until the unit runs with another process than $was.
func again(restarts int) string {
	return until(fmt.Sprintf("[ $(systemctl show -P NRestarts %s) = %d ] && systemctl is-active %s && [ %s != $was ]", unit, restarts, unit, pid), "/dev/null")
}

// TestSystemd is a node whose services systemd runs: Swift's replicator becomes ours by
// the switch and Swift's again by the purge. Ours reloads, comes back after a kill, an
// abort and when it is stuck, and stops.
func TestSystemd(t *testing.T) {
	t.Parallel()
	r := newMachine(t)
	r.give("testdata/node.sh")
	r.sh(install + " && /tmp/node.sh && echo x | tee /etc/swift/account.ring.gz >/etc/swift/container.ring.gz")
	// What an operator writes by "systemctl edit".
	r.sh("mkdir -p /etc/systemd/system/" + unit + ".service.d && cd /etc/systemd/system/" + unit + ".service.d && " +
		`printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\nWatchdogSec=6\nTimeoutAbortSec=1\n' >override.conf && systemctl daemon-reload`)
	for _, step := range []struct{ what, script, want string }{
		{"Swift's starts", "systemctl start " + unit + "; " + whose, "stock"},
		{"the switch restarts it", "understudy-switch on; " + whose, "ours"},
		{"it is the unit's user's", "stat -c %U /proc/" + pid, "swift"},
		{"the drop-in counts", "systemctl show -P Type " + unit, "notify"},
		{"the operator's drop-in counts more", "systemctl show -P WatchdogUSec " + unit, "6s"},
		{"it works", "su -s /bin/sh swift -c 'understudy status'", "sdb"},
		{"it reloads", "was=" + pid + "; systemctl reload " + unit + "; [ " + pid + " = $was ]; " + until("journalctl | grep 'configuration reloaded'", "/dev/null"), ""},
		{"it comes back after a kill", "was=" + pid + "; systemctl kill -s KILL " + unit + "; " + again(1) + "; " + whose, "ours"},
		{"it comes back after an abort", "was=" + pid + "; systemctl kill -s ABRT --kill-whom=main " + unit + "; " + again(2) + "; " + whose, "ours"},
		{"the journal has its stacks", "journalctl -u " + unit, "goroutine 1 "},
		{"it comes back when it is stuck", "was=" + pid + "; kill -s STOP " + pid + "; " + again(3) + "; journalctl -u " + unit, "Watchdog timeout"},
		{"it stops", "systemctl stop " + unit + "; systemctl show -P Result " + unit, "success"},
		{"nothing of it is left", "if readlink /proc/[0-9]*/exe | grep -x " + ours + "; then echo left; else echo none; fi", "none"},
		{"an instance runs", "mkdir /etc/swift/object-server && cp /etc/swift/object-server.conf /etc/swift/object-server/1.conf && systemctl start " + instance + " && systemctl is-active " + instance, "active"},
		{"the server runs", "systemctl start understudy-serve && systemctl is-active understudy-serve && curl -fs http://127.0.0.1:6210/healthcheck", "OK"},
		{"an agent without a fleet does not", "systemctl start understudy-fleet; systemctl is-active understudy-fleet || true", "inactive"},
		{"the purge gives back", "systemctl start " + unit + "; dpkg --purge understudy; " + whose, "stock"},
		{"the instance, too", "readlink /proc/$(systemctl show -P MainPID " + instance + ")/exe", "python"},
		{"and the server is gone", "systemctl is-active understudy-serve || true", "inactive"},
	} {
		out, err := r.command(step.script).CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Fatalf("%s: %v, and no %q in\n%s\n%s", step.what, err, step.want, out, r.sh("journalctl --no-pager -n 50"))
		}
	}
}
