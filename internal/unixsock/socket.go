// Package unixsock opens and dials sockets of this machine, as its daemons need them: the
// permissions are right from the first moment, what a dead process has left is replaced,
// and paths may be long.
package unixsock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	folderMode  = 0o755
	lockTime    = time.Second // for another process that opens or closes its socket
	lockPause   = 10 * time.Millisecond
	connectTime = time.Second
)

// ErrInUse is a socket on which a living process listens.
var ErrInUse = errors.New("another process listens there")

// Listen listens on a path with the permissions of mode, from the first moment.
// A socket that a dead process has left is replaced; a living one's never, and
// neither is anything that is no socket. The last folder of the path is made when
// it is missing.
func Listen(path string, mode fs.FileMode) (net.Listener, error) {
	l, err := openSocket(path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func openSocket(path string, mode fs.FileMode) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := clearPath(path); err != nil {
		return nil, err
	}
	// A socket takes its inode's mode, less umask, to the file that bind makes of it.
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if ctl := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), uint32(mode.Perm())) }); ctl != nil {
			return ctl
		}
		return err
	}}
	at, closeFolder, err := address(path)
	if err != nil {
		return nil, err
	}
	defer closeFolder()
	l, err := lc.Listen(context.Background(), "unix", at)
	if err != nil {
		return nil, err
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false)
	s := &socket{UnixListener: u, path: path}
	if err = os.Chmod(path, mode.Perm()); err == nil { // what umask has taken away
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		_ = u.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return s, nil
}

// clearPath makes room for a socket.
func clearPath(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something that is no socket")
	}
	alive, err := living(path)
	if err != nil {
		return err
	}
	if alive {
		return ErrInUse
	}
	return os.Remove(path)
}

// living tells whether anybody listens on a socket. A process of which only threads
// are left that wait in the kernel for a dead disk does not count: its sockets stay
// open, but nobody will ever answer.
func living(path string) (bool, error) {
	c, err := Dial(context.Background(), path, connectTime)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded):
		return true, nil // it is too busy to take a connection
	case err != nil:
		return false, err
	}
	defer c.Close()
	cred, err := Peer(c)
	if err != nil || cred.Pid <= 0 {
		return true, nil // somebody in another namespace, perhaps
	}
	return !zombie(int(cred.Pid)), nil
}

// Dial connects to the socket of a path, within limit.
func Dial(ctx context.Context, path string, limit time.Duration) (net.Conn, error) {
	at, closeFolder, err := address(path)
	if err != nil {
		return nil, err
	}
	defer closeFolder()
	d := net.Dialer{Timeout: limit}
	return d.DialContext(ctx, "unix", at)
}

// longestAddress is what fits into sockaddr_un.
const longestAddress = 107

// address is a path as a socket's address: one that is too long goes by way of its
// folder, which stays open until the address has been used.
func address(path string) (at string, done func(), err error) {
	if len(path) <= longestAddress {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &fs.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)), func() { _ = unix.Close(fd) }, nil
}

// Peer is who is on the other side of a unix connection.
func Peer(c net.Conn) (*unix.Ucred, error) {
	u, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.New("no socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	if ctl := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); ctl != nil {
		return nil, ctl
	}
	return cred, err
}

// lockFolder keeps two processes from replacing the same stale socket.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for limit := time.Now().Add(lockTime); ; time.Sleep(lockPause) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(limit) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
}

// socket is a listener that removes its own file at its end, and no other.
type socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
	once sync.Once
}

func (s *socket) Close() error {
	s.once.Do(s.remove)
	return s.UnixListener.Close()
}

func (s *socket) remove() {
	unlock, err := lockFolder(filepath.Dir(s.path))
	if err != nil {
		return // the next process finds it stale
	}
	defer unlock()
	if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.made) {
		_ = os.Remove(s.path)
	}
}

// zombie tells whether a process has ended, or is over but for threads that the
// kernel does not give back.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	// pid (name) state: the name may hold anything
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	return len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'X')
}
