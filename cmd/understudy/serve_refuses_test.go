package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/bootstrap"
)

// planned puts a fault plan into the environment of what is started next.
func planned(t *testing.T, plan string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan")
	if err := os.WriteFile(path, []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(bootstrap.FaultsEnv, path)
}

// refusesPlan starts a server with a plan that it may not follow: it ends at once.
func refusesPlan(t *testing.T, want string) {
	t.Helper()
	dir := t.TempDir()
	conf, swift := filepath.Join(dir, "server.conf"), filepath.Join(dir, "swift.conf")
	for path, text := range map[string]string{
		conf:  "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = 1\ndevices = " + dir + "\n[app:object-server]\n",
		swift: "[swift-hash]\nswift_hash_path_suffix = x\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	planned(t, "disk : hang\n")
	c := exec.Command(os.Args[0])
	c.Args = []string{"understudy", "serve", "--swift-conf", swift, conf}
	if out, err := c.CombinedOutput(); c.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s", err, out)
	}
}
