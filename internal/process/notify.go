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

// NotifyReloading tells them that the configuration is being read again. It is
// followed by NotifyReady, however that ends.
func NotifyReloading() error {
	return notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// NotifyStopping tells them that an orderly stop has begun.
func NotifyStopping() error { return notify(daemon.SdNotifyStopping) }

// NotifyAlive feeds the service manager's watchdog.
func NotifyAlive() error { return notifyManager(daemon.SdNotifyWatchdog) }

func notify(state string) error {
	return errors.Join(notifySelf(state), notifyManager(state))
}

// SocketName is the abstract address on which swift-reload waits for a process's
// notifications ("@" stands for the leading NUL).
func SocketName(pid int) string { return fmt.Sprintf("@swift-notifications\x00%d", pid) }

func notifySelf(state string) error {
	err := send(SocketName(os.Getpid()), state)
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("notify %q on the process's socket: %w", state, err)
	}
	return nil
}

func notifyManager(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	if err := send(name, state); err != nil {
		return fmt.Errorf("notify the service manager of %q: %w", state, err)
	}
	return nil
}

// send sends one datagram. It does not wait for ever, unlike the library's way: a
// service manager that hangs must not hang the daemon.
func send(name, state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: name})
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
