package main

import (
	"bytes"
	"context"
	"os"
)

// changeRing gives the cluster another ring.
func (s *soak) changeRing() *deed {
	if s.blind() {
		return nil
	}
	return &deed{kind: "change ring", on: s.ring.draw(s.rnd), do: s.turn}
}

// spoilRing leaves a ring file as it is when a copy breaks off, or worse. All daemons
// must say so and go on with the ring that they have. Then the good one is back.
func (s *soak) spoilRing() *deed {
	if s.blind() {
		return nil
	}
	path, how := s.c.RingPath(0), pick(s.rnd, "half", "empty", "noise", "nothing behind its head")
	var good []byte
	return &deed{
		kind: "spoil ring", on: how, ring: true,
		do: func(ctx context.Context) (err error) {
			if good, err = os.ReadFile(path); err != nil {
				return err
			}
			bad := map[string][]byte{
				"half": good[:len(good)/2], "empty": nil, "noise": bytes.Repeat([]byte("no ring "), 99), "nothing behind its head": good[:10],
			}[how]
			from := s.sizes()
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				return err
			}
			for i, d := range s.daemons {
				out := d.current().Output()
				if !s.until(ctx, patient, func() bool { return said(out, from[i], "ring file cannot be used") }) {
					s.fault("daemon %d (%d) says nothing of a ring file that is of no use (%s)", d.node.Number, d.pid(), how)
				}
			}
			return nil
		},
		cure: func(context.Context) error {
			if good == nil {
				return nil
			}
			if err := os.WriteFile(path+".new", good, 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	}
}

// sizes are those of the daemons' logs.
func (s *soak) sizes() []int64 {
	var all []int64
	for _, d := range s.daemons {
		all = append(all, size(d.current().Output()))
	}
	return all
}
