package main

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"understudy/test/faults/sick"
)

// killTakers kills the first node's rsync daemon and all rsyncs that it has begun, some
// time after the first of them has come. What is returned waits for that, or calls it off
// when nobody is coming any more.
func (r *rig) killTakers(ctx context.Context, after time.Duration) (struck func() error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			for len(sick.ChildrenOf(r.first().RsyncdPID())) == 0 {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(time.Millisecond):
				}
			}
			select {
			case <-ctx.Done(): // it was quicker than we
			case <-time.After(after):
			}
			return r.first().SignalRsyncd(unix.SIGKILL)
		}()
	}()
	return func() error {
		defer stop()
		stop()
		return <-done
	}
}
