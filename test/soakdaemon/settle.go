package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"understudy/internal/cluster"
)

const (
	passes = 8                // of every disk, for all to settle
	old    = 40 * time.Second // when an rsync's temporary file is nobody's any more
	long   = 3 * time.Minute  // for one pass of every disk, and for recon to tell
)

// settle makes everything well, waits until every daemon has gone through enough whole
// passes of all disks for all copies to be alike, and stops them.
func (s *soak) settle(ctx context.Context) error {
	s.note("the end: all is made well")
	if err := s.cureAll(ctx); err != nil {
		return err
	}
	s.ring.whole()
	for range 3 { // one replica of a partition moves at a time
		if err := s.turn(ctx); err != nil {
			return err
		}
	}
	if err := s.relieve(); err != nil {
		return err
	}
	s.lay(ctx)
	before, err := s.published()
	if err != nil {
		return err
	}
	calm := false
	for n := 1; n <= passes && !calm; n++ {
		if !s.wholePass(ctx, n) {
			break
		}
		if n < 2 {
			continue
		}
		wrong, err := s.unlike(ctx)
		if err != nil {
			return err
		}
		calm = len(wrong) == 0
		s.note("after %d whole passes of every disk %d things are not as they must be", n, len(wrong))
		if !calm {
			if err := s.audit(ctx); err != nil {
				return err
			}
		}
	}
	if !calm {
		s.note("not settled: what follows tells more")
	}
	s.wantPublished(ctx, before)
	s.wantAllInService()
	if err := s.wantAlive(); err != nil {
		return err
	}
	s.wantFlat()
	for _, d := range s.daemons {
		s.end(ctx, d, sigterm)
	}
	s.lay(ctx)
	return nil
}

// audit lets Swift's auditors do their part, as they do in every cluster: beside the
// temporary file of an rsync that a sick disk has broken off, Swift's ssync receiver
// does not see the object, and its handoffs have to stay until the file is gone.
func (s *soak) audit(ctx context.Context) error {
	for _, n := range s.c.Nodes {
		if err := n.Audit(ctx, old); err != nil {
			return err
		}
	}
	return nil
}

// wholePass waits until every disk has gone through a pass that began after this call.
func (s *soak) wholePass(ctx context.Context, nth int) bool {
	from := float64(time.Now().UnixNano()) / 1e9
	begun := map[string]float64{} // of the pass that must end
	missing := ""
	done := s.until(ctx, long, func() bool {
		missing = ""
		for _, n := range s.c.Nodes {
			states, err := n.DeviceStates()
			if err != nil {
				missing = err.Error()
				return false
			}
			for _, name := range n.Devices {
				key, is := fmt.Sprintf("%d/%s", n.Number, name), states[name]
				if begun[key] == 0 && is.Begun != nil && *is.Begun > from {
					begun[key] = *is.Begun
				}
				if begun[key] == 0 || is.Complete == nil || *is.Complete < begun[key] {
					missing = fmt.Sprintf("%s %s", key, is)
				}
			}
		}
		return missing == ""
	})
	if !done {
		s.fault("pass %d after the end of all troubles has not come to its end in %s: %s", nth, long, missing)
	}
	return done
}

// unlike looks for copies that are not alike. What is cached can be behind by right,
// until somebody asks: it is looked at in the end only.
func (s *soak) unlike(ctx context.Context) ([]string, error) {
	copies, err := s.scan(ctx, false)
	if err != nil {
		return nil, err
	}
	wrong, err := s.c.CheckCopies(ctx, cluster.Live(copies))
	return slices.Concat(wrong, cluster.CheckAlike(copies)), err
}

// scan reads all partitions, but for those that are kept by junk alone.
func (s *soak) scan(ctx context.Context, ask bool) ([]cluster.Copy, error) {
	copies, err := s.c.Scan(ctx, ask)
	return slices.DeleteFunc(copies, onlyJunk), err
}

// published is when each node's recon told last of a complete round.
func (s *soak) published() (map[int]float64, error) {
	all := map[int]float64{}
	for _, n := range s.c.Nodes {
		recon, err := n.ReconFile()
		if err != nil {
			return nil, err
		}
		if recon.Last != nil {
			all[n.Number] = *recon.Last
		}
	}
	return all, nil
}

// wantPublished demands that replication_last goes on.
func (s *soak) wantPublished(ctx context.Context, before map[int]float64) {
	for _, n := range s.c.Nodes {
		if !s.until(ctx, long, func() bool {
			now, err := s.published()
			return err == nil && now[n.Number] > before[n.Number]
		}) {
			s.fault("replication_last of node %d stands still at %.0f", n.Number, before[n.Number])
		}
	}
}

// wantAllInService demands that every disk works and is fine.
func (s *soak) wantAllInService() {
	for _, n := range s.c.Nodes {
		states, err := n.DeviceStates()
		if err != nil {
			s.fault("%v", err)
		}
		for _, name := range n.Devices {
			is := states[name]
			if !slices.Contains([]string{"resting", "listing", "running"}, is.State) || is.Disk != "" {
				s.fault("disk %d/%s is %s although it is well", n.Number, name, is)
			}
		}
	}
}

// wantFlat demands that the daemon that was never stopped has not grown.
func (s *soak) wantFlat() {
	all := s.samples.all(steady)
	fmt.Printf("daemon %d, never stopped: %d samples; medians of fifths:\n", steady, len(all))
	for _, m := range measures {
		fmt.Printf("  %-8s %v\n", m.name, fifths(all, m.of))
	}
	if len(all) < fewest {
		fmt.Println("  too few to tell growth")
		return
	}
	for _, g := range growth(all) {
		s.fault("daemon %d: %s", steady, g)
	}
}
