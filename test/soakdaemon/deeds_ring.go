package main

import (
	"bytes"
	"context"
	"os"
	"time"
)

// changeRing gives the cluster another ring.
func (s *soak) changeRing() *deed {
	if s.blind() {
		return nil
	}
	return &deed{kind: "change ring", on: s.ring.draw(s.rnd), do: s.turn}
}

// seenBy is when every daemon has seen what a ring file is, with a look each second.
const seenBy = 10 * time.Second

// spoilRing leaves a ring file as it is when a copy breaks off, or worse. All daemons
// must go on with the ring that they have. Then the good one is back.
func (s *soak) spoilRing() *deed {
	if s.blind() {
		return nil
	}
	path, how := s.c.RingPath(0), pick(s.rnd, "half", "empty", "noise", "nothing behind its head")
	var good []byte
	var spoilt time.Time
	return &deed{
		kind: "spoil ring", on: how, ring: true,
		do: func(context.Context) (err error) {
			if good, err = os.ReadFile(path); err != nil {
				return err
			}
			bad := map[string][]byte{
				"half": good[:len(good)/2], "empty": nil, "noise": bytes.Repeat([]byte("no ring "), 99), "nothing behind its head": good[:10],
			}[how]
			err = os.WriteFile(path, bad, 0o644)
			spoilt = time.Now()
			return err
		},
		cure: func(context.Context) error {
			if good == nil {
				return nil
			}
			s.wantKept(spoilt.Add(seenBy))
			if err := os.WriteFile(path+".new", good, 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	}
}

// wantKept demands that no daemon has taken another ring since some time.
func (s *soak) wantKept(since time.Time) {
	for _, d := range s.daemons {
		err := eachLine(d.current().Output(), func(l line, _ string) {
			if l.Message == ringTaken && l.Time.After(since) {
				s.fault("daemon %d (%d) has taken a ring at %s, when there was none", d.node.Number, d.pid(), l.Time)
			}
		})
		if err != nil {
			s.fault("%v", err)
		}
	}
}
