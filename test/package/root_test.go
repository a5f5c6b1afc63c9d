package package_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// root is a machine like this one, with processes and a network of its own, whose
// changes go to an overlay that ends with it.
type root struct {
	t   *testing.T
	pid string // of its init, as seen from outside
}

// setUp runs in the new namespaces. Disks lie on the host's file system, since objects
// need extended attributes; policy-rc.d keeps packages from starting services.
const setUp = `set -eu
mount -t tmpfs tmpfs "$BASE/over"
mkdir "$BASE/over/upper" "$BASE/over/work" "$BASE/over/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/over/upper,workdir=$BASE/over/work" "$BASE/over/root"
cd "$BASE/over/root"
mount -t proc proc proc
mount --bind "$BASE/tmp" tmp
mkdir -p srv/node run/lock
mount -t tmpfs tmpfs run
mkdir -p run/lock run/swift run/rsync
mount --bind "$BASE/node" srv/node
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
ip link set lo up 2>/dev/null || true
rm -f var/lib/man-db/auto-update # not again for each package
`

// idle is an init that leaves everything to the test.
const idle = `
mount --rbind /dev dev
exec chroot . sh -c 'echo ready; exec sleep infinity'
`

func newRoot(t *testing.T) *root {
	t.Helper()
	return newRootWith(t, idle)
}

// newRootWith ends the set-up with a script that prints something when all is there, and
// becomes init.
func newRootWith(t *testing.T, init string) *root {
	t.Helper()
	base := t.TempDir()
	for _, dir := range []string{"over", "tmp", "node", "cgroup"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path := base; path != "/" && path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil { // the user swift passes
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", setUp+init)
	cmd.Env = append(os.Environ(), "BASE="+base)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("make a root: %v: %s", err, stderr.String())
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil || len(bytes.Fields(children)) != 1 {
		t.Fatalf("find the root's init: %q, %v", children, err)
	}
	r := &root{t: t, pid: string(bytes.TrimSpace(children))}
	for _, deb := range []string{ourDeb, stockDeb, newerStockDeb} {
		r.give(deb)
	}
	return r
}

// give puts a file of the host into the root's /tmp.
func (r *root) give(path string) {
	r.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("/proc", r.pid, "root/tmp", filepath.Base(path)), text, 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) command(script string) *exec.Cmd {
	cmd := exec.Command("nsenter", "--target", r.pid, "--mount", "--pid", "--net", "--root", "--wdns=/",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "sh", "-euc", script)
	cmd.WaitDelay = time.Second
	return cmd
}

// sh runs a script that must succeed and returns what it printed.
func (r *root) sh(script string) string {
	r.t.Helper()
	out, err := r.command(script).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// notCompared is what dpkg remembers of its own work, and large folders into which
// neither package puts anything.
const notCompared = "/var/lib/apt /var/lib/dpkg/*-old /var/lib/dpkg/status* /var/lib/dpkg/lock* /var/lib/dpkg/diversions " +
	"/usr/share/man /usr/share/icons /usr/local /usr/include /usr/lib/*linux-gnu /usr/lib/python* */__pycache__"

// files lists what packages own or make, with types, modes, sizes and targets.
func (r *root) files() string {
	r.t.Helper()
	prune := "-path '" + strings.Join(strings.Fields(notCompared), "' -o -path '") + "'"
	return r.sh(`find /etc /usr /var/lib \( `+prune+` \) -prune -o \( -type d -printf '%p %M %u\n' -o -printf '%p %M %u %s %l\n' \) | sort`) + "\n"
}
