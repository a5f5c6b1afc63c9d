// Package swifttest runs the installed Swift's object server for tests that
// compare with it or talk to it.
package swifttest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const swiftConf = `[swift-hash]
swift_hash_path_prefix = pre
swift_hash_path_suffix = suf
[storage-policy:0]
name = gold
default = yes
[storage-policy:1]
name = silver
[storage-policy:2]
name = split
policy_type = erasure_coding
ec_type = liberasurecode_rs_vand
ec_num_data_fragments = 2
ec_num_parity_fragments = 1
`

const serverConf = `[DEFAULT]
devices = %s
mount_check = false
bind_ip = 127.0.0.1
bind_port = %d
user = %s
workers = 0
disable_fallocate = true
recon_cache_path = %s
swift_dir = %s
[pipeline:main]
pipeline = healthcheck recon object-server
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:recon]
use = egg:swift#recon
[app:object-server]
use = egg:swift#object
%s
`

// ObjectServer starts an object server for a devices directory and returns its
// address. It has policies 0 and 1, policy 2 of erasure coding, and a mount
// namespace of its own in which its configuration is /etc/swift. It ends with the
// test.
func ObjectServer(t testing.TB, devices string, options ...string) string {
	t.Helper()
	return ObjectServerIn(t, t.TempDir(), devices, options...)
}

// ObjectServerIn is ObjectServer with a folder for its configuration, rings and
// recon cache.
func ObjectServerIn(t testing.TB, etc, devices string, options ...string) string {
	t.Helper()
	port := freePort(t)
	conf := fmt.Sprintf(serverConf, devices, port, userName(), etc, etc, strings.Join(options, "\n"))
	write(t, filepath.Join(etc, "swift.conf"), swiftConf)
	write(t, filepath.Join(etc, "object-server.conf"), conf)
	namespace := []string{"--mount"}
	if os.Geteuid() != 0 {
		namespace = append(namespace, "--map-root-user")
	}
	script := `mount --bind "$0" /etc/swift && exec swift-object-server "$0/object-server.conf"`
	cmd := exec.Command("unshare", append(namespace, "--propagation", "private", "sh", "-c", script, etc)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Swift's object server: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := client.Get("http://" + address + "/healthcheck")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address
			}
		}
		select {
		case <-ended:
			t.Fatalf("Swift's object server ended:\n%s", output.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("Swift's object server does not answer: %v", err)
		}
	}
}

func userName() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Python runs a script with the installed Swift, in a mount namespace of its own in
// which there is an /etc/swift as ObjectServer's, and returns what it prints.
func Python(t testing.TB, script string, in io.Reader) []byte {
	t.Helper()
	etc := t.TempDir()
	write(t, filepath.Join(etc, "swift.conf"), swiftConf)
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount --bind "$0" /etc/swift && exec /usr/bin/python3 "$1"`, etc, script)
	if os.Geteuid() != 0 {
		cmd.Args = append(cmd.Args[:1:1], append([]string{"--map-root-user"}, cmd.Args[1:]...)...)
	}
	var output bytes.Buffer
	cmd.Stdin, cmd.Stderr = in, &output
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Swift is needed for this test: %v\n%s", err, output.String())
	}
	return out
}
