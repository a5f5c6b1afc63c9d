package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"understudy/internal/observe/status"
)

const watchPause = time.Second

// follow shows one report after the other until ctx is done. Once it has shown one,
// it waits for an engine that is gone to come back.
func (v *statusView) follow(ctx context.Context, out, errs io.Writer) error {
	client, err := v.client()
	if err != nil {
		return err
	}
	s := newScreen(out, errs)
	defer s.end()
	var last *status.Report
	for {
		err := client.Events(ctx, watchPause, func(r *status.Report, err error) error {
			if err != nil {
				return s.trouble(err)
			}
			if r, err = v.only(r); err != nil {
				return stop{err}
			}
			last = r
			return v.show(s, r)
		})
		if over := (stop{}); errors.As(err, &over) {
			return over.error
		}
		switch {
		case ctx.Err() != nil && last != nil:
			return verdictOf(last)
		case ctx.Err() != nil || last == nil:
			return err
		}
		if err := s.trouble(err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchPause):
		}
	}
}

// stop is an error that no waiting mends.
type stop struct{ error }

func (v *statusView) show(s *screen, r *status.Report) error {
	var err error
	if v.json {
		err = v.print(s.out, r)
	} else {
		err = s.draw(v.text(s.out, r))
	}
	if err != nil {
		return stop{err}
	}
	return nil
}

// screen shows blocks of text: in place on a terminal, else one after the other.
type screen struct {
	out, errs io.Writer
	began     bool
}

func newScreen(out, errs io.Writer) *screen { return &screen{out: out, errs: errs} }

const (
	clearScreen = "\x1b[2J"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
)

func (s *screen) draw(block string) error {
	rows, _, terminal := terminalSize(s.out)
	if !terminal {
		if s.began {
			block = "\n" + block
		}
		s.began = true
		_, err := io.WriteString(s.out, block)
		return err
	}
	text := home
	if !s.began {
		text = clearScreen + hideCursor + home
	}
	s.began = true
	lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
	if room := rows - 2; room > 1 && len(lines) > room {
		lines = append(lines[:room:room], fmt.Sprintf("... %d more lines", len(lines)-room))
	}
	for _, line := range lines {
		text += line + clearLine + "\n"
	}
	_, err := io.WriteString(s.out, text+clearBelow)
	return err
}

// trouble says why there is no new block: below the last one on a terminal, else
// where errors go, for the blocks may be for a program.
func (s *screen) trouble(why error) error {
	out, text := s.errs, why.Error()+"; trying again\n"
	if _, _, terminal := terminalSize(s.out); terminal {
		out, text = s.out, "\r"+why.Error()+"; trying again"+clearLine
	}
	if _, err := io.WriteString(out, text); err != nil {
		return stop{err}
	}
	return nil
}

func (s *screen) end() {
	if _, _, terminal := terminalSize(s.out); terminal && s.began {
		_, _ = io.WriteString(s.out, clearLine+showCursor)
	}
}
