package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"syscall"
	"time"

	"understudy/messages"
)

// errHangs says that a disk has not answered in time.
var errHangs = errors.New("the disk has not answered")

// within calls f and does not wait for it longer than the timeout. A call that hangs
// in the kernel is left behind; this process ends without it.
func within[T any](ctx context.Context, timeout time.Duration, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		value, err := f(ctx)
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, fmt.Errorf("%w in %s", errHangs, timeout)
		}
		return none, ctx.Err()
	}
}

// isMissing tells that a partition is not there, on a device that is.
func isMissing(err error) bool {
	var device *messages.DeviceError
	return errors.Is(err, fs.ErrNotExist) && !errors.As(err, &device)
}

func isNoDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

func address(n messages.Node) string {
	return net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort))
}

func compare(a, b string) int { return cmp.Compare(a, b) }
