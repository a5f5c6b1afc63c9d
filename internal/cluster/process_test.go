package cluster

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The keeper kills what it watches when this process goes without a word.
func TestKeeperKills(t *testing.T) {
	k, err := newKeeper(filepath.Join(t.TempDir(), "pids"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := k.watch(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.stdin.Close(), k.cmd.Wait()); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the keeper let it live")
		_ = cmd.Process.Kill()
	}
}
