package rsync

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// afterKill is how long a killed rsync may take to end before it is abandoned.
const afterKill = time.Second

// exit is how an rsync has ended.
type exit struct {
	code   int  // Python's: negative for a signal, 1 for one that was killed
	killed bool // its time was over
}

// silence tells what an end says about the daemon. What is not here it has said
// itself ("max connections", an unknown module, no room), or is our own trouble.
func (e exit) silence() messages.Silence {
	switch {
	case e.killed:
		return messages.Unanswered
	case e.code == 10, e.code == 35: // the socket, refused for example; --contimeout
		return messages.Unreachable
	case e.code == 12, e.code == 30: // the stream broke; --timeout
		return messages.Unanswered
	}
	return messages.Answered
}

// run runs one rsync and logs what became of it, with quiet only a failure. An
// error means that it could not be started, or that ctx or the transport ended
// first. Swift: obj/replicator.py _rsync
func (t *Transport) run(ctx context.Context, log zerolog.Logger, argv []string, out *output, quiet bool) (exit, error) {
	if err := ctx.Err(); err != nil {
		return exit{}, err
	}
	begin := t.cfg.Clock.Now()
	child, err := t.start(argv, out)
	if err != nil {
		return exit{}, err
	}
	expired := make(chan struct{})
	stop := t.cfg.Clock.AfterFunc(t.cfg.Timeout, func() { close(expired) })
	defer stop()

	select {
	case <-child.Done():
	case <-ctx.Done():
		t.end(child, out)
		return exit{}, ctx.Err()
	case <-t.closed:
		t.end(child, out)
		return exit{}, ErrClosed
	case <-expired:
		swiftsWords(log.Error()).Msg(cut(fmt.Sprintf("Killing long-running rsync after %ds: %s",
			int(t.cfg.Timeout/time.Second), pyList(argv)), t.cfg.ErrorLogLineLength))
		t.end(child, out)
		return exit{code: 1, killed: true}, nil
	}
	t.forget(child)
	select {
	case <-t.closed: // which killed it
		return exit{}, ErrClosed
	default:
	}
	code, err := child.Exit()
	if err != nil {
		return exit{}, fmt.Errorf("run rsync: %w", err)
	}
	if code != 0 || !quiet {
		t.report(log, argv, code, out, t.cfg.Clock.Now().Sub(begin))
	}
	return exit{code: code}, nil
}

// swiftsWords marks one of Swift's own lines: syslog shows it without fields.
func swiftsWords(e *zerolog.Event) *zerolog.Event { return e.Bool("swift", true) }

// report logs an rsync that has ended by itself.
func (t *Transport) report(log zerolog.Logger, argv []string, code int, out *output, elapsed time.Duration) {
	level := zerolog.DebugLevel
	if code != 0 {
		level = zerolog.ErrorLevel
	}
	lines, dropped := out.lines(t.cfg.LogTransfers)
	for _, line := range lines {
		swiftsWords(log.WithLevel(level)).Msg(line)
	}
	if dropped > 0 {
		log.Warn().Int64("bytes", dropped).Msg("rsync printed too much: the middle of its output is lost")
	}
	if code != 0 {
		swiftsWords(log.Error()).Msg(cut(fmt.Sprintf("Bad rsync return code: %d <- %s", code, pyList(argv)), t.cfg.ErrorLogLineLength))
		return
	}
	level = zerolog.InfoLevel
	if out.empty() {
		level = zerolog.DebugLevel
	}
	swiftsWords(log.WithLevel(level)).Dur("elapsed", elapsed).Msgf("Successful rsync of %s... to %s (%.3f)",
		withoutLast(argv[len(argv)-2], 3), argv[len(argv)-1], elapsed.Seconds())
}

// start starts a child and puts it on the list of those that Close kills.
func (t *Transport) start(argv []string, out *output) (Child, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.closed:
		return nil, ErrClosed
	default:
	}
	child := t.cfg.Spawn.Start(argv, out)
	t.live[child] = struct{}{}
	return child, nil
}

func (t *Transport) forget(child Child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, child)
}

// end kills a child. One that has not ended a second later is left to a goroutine
// that waits for it, so that it does not hold up its caller.
// Swift: obj/replicator.py _child_process_reaper
func (t *Transport) end(child Child, out *output) {
	child.Kill()
	late := make(chan struct{})
	stop := t.cfg.Clock.AfterFunc(afterKill, func() { close(late) })
	defer stop()
	select {
	case <-child.Done():
		t.forget(child)
	case <-late:
		out.discard()
		t.stuck.Add(1)
		go func() {
			<-child.Done()
			t.forget(child)
			t.stuck.Add(-1)
		}()
	}
}
