package control

import (
	"context"
	"fmt"
	"net/http"

	"understudy/internal/observe/status"
)

// command answers for a path that takes a command.
func (s *Server) command(name string, make func() body) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b := make()
		if err := read(w, r, b); err != nil {
			s.refuse(w, err)
			return
		}
		c, err := b.command()
		if err != nil {
			s.refuse(w, err)
			return
		}
		done, err := s.do(r.Context(), c)
		s.note(r.Context(), name, c, done, err)
		if err != nil {
			s.refuse(w, err)
			return
		}
		reply(w, http.StatusOK, done)
	}
}

// do hands a command to the engine. Whoever sent it may hang up: it is carried out
// all the same. An engine that does not answer keeps the command's place.
func (s *Server) do(ctx context.Context, c status.Command) (*status.Done, error) {
	select {
	case s.commands <- struct{}{}:
	default:
		return nil, fmt.Errorf("too many commands wait for the engine")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.limits.do)
	defer cancel()
	answers := begin(s.commands, "carry out a command", func() (*status.Done, error) {
		done, err := s.cfg.Engine.Do(ctx, c)
		if err == nil && done == nil {
			done = &status.Done{}
		}
		return done, err
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // both at once
		return a.value, a.err
	default:
		return nil, fmt.Errorf("carry out a command: %w", ctx.Err())
	}
}

// note logs who has asked for what, and what came of it.
func (s *Server) note(ctx context.Context, name string, c status.Command, done *status.Done, err error) {
	e := s.cfg.Log.Info()
	if err != nil {
		e = s.cfg.Log.Warn().Err(err)
	} else {
		e = e.Str("done", done.Message)
	}
	if cred := caller(ctx); cred != nil {
		e = e.Uint32("uid", cred.Uid).Int32("pid", cred.Pid)
	}
	_, arguments, _ := bodyOf(c)
	e.Str("command", name).Interface("arguments", arguments).Msg("an operator's command")
}
