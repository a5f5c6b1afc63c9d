package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

const notifyTimeout = time.Second // for a listener that does not read

// NotifyReady tells the service manager, and whoever listens on this process's own
// notification socket, that the daemon runs. Nobody listening is no error. The
// daemon works without being heard: log the error and go on.
//
// Swift: common/utils systemd_notify.
func NotifyReady() error { return notify(daemon.SdNotifyReady) }

// NotifyStopping tells them that an orderly stop has begun.
func NotifyStopping() error { return notify(daemon.SdNotifyStopping) }

func notify(state string) error {
	var errs []error
	if err := notifySelf(state); err != nil {
		errs = append(errs, fmt.Errorf("notify %s on the process's socket: %w", state, err))
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		errs = append(errs, fmt.Errorf("notify the service manager of %s: %w", state, err))
	}
	return errors.Join(errs...)
}

// SocketName is the abstract address on which swift-reload waits for a process's
// notifications ("@" stands for the leading NUL).
func SocketName(pid int) string { return fmt.Sprintf("@swift-notifications\x00%d", pid) }

func notifySelf(state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: SocketName(os.Getpid())})
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}
