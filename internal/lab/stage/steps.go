package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"understudy/internal/lab"
	"understudy/internal/scenario"
)

func within(s scenario.Step) time.Duration {
	if s.Within > 0 {
		return s.Within
	}
	return scenario.Patience
}

// step takes one step. Its error says that the scenario makes no sense here; what does
// not end in time is noted as stuck.
func (st *stage) step(ctx context.Context, s scenario.Step) error {
	st.diary.turn(s.String())
	switch s.Verb {
	case "pass":
		if err := st.beginPass(ctx, s.What); err != nil {
			return err
		}
		return st.endPass(ctx, within(s))
	case "begin":
		return st.beginPass(ctx, s.What)
	case "end":
		return st.endPass(ctx, within(s))
	case "settle":
		return st.settle(ctx, s)
	case "run":
		return st.runOn(ctx, s.What)
	case "halt":
		for _, n := range st.chosen(s.What) {
			st.halted(n)
		}
		return nil
	case "kill", "power-cut", "revive", "freeze", "thaw", "impostor":
		return st.nodes(s)
	case "unmount", "mount", "wipe":
		return st.devices(s)
	case "weight":
		return st.weigh(s)
	case "faults":
		return st.turnFaults(s.What)
	case "put", "post", "delete":
		for range s.Count {
			st.write(ctx, s.Verb)
		}
		return nil
	case "flip", "truncate", "empty", "bare":
		return st.hurt(s)
	case "await":
		return st.await(ctx, s)
	}
	return fmt.Errorf("unknown step %s", s.Verb)
}

// nodes does something to nodes.
func (st *stage) nodes(s scenario.Step) error {
	all := st.chosen(s.What)
	if len(all) == 0 {
		return fmt.Errorf("%w: no node is called %s", ErrScenario, s.What)
	}
	for _, n := range all {
		var err error
		switch s.Verb {
		case "kill":
			err = st.kill(n, false)
		case "power-cut":
			err = st.kill(n, true)
		case "revive":
			if err = n.Revive(); err == nil {
				err = n.LoadFaults(st.plan)
			}
		case "impostor":
			st.halted(n)
			err = n.Impose(s.State)
		case "freeze":
			n.Freeze()
		case "thaw":
			n.Thaw()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kill ends a node at once. One that is a process gets no time to end its engines.
func (st *stage) kill(n *lab.Node, power bool) (err error) {
	if st.options.Process != nil {
		st.keepCounts(n.FaultCounts())
		if power {
			err = n.PowerCut()
		}
		err = errors.Join(err, n.Kill())
		st.halted(n)
		return err
	}
	st.halted(n)
	if err = n.Kill(); err == nil && power {
		err = n.PowerCut()
	}
	return err
}

// spots are the devices that a pattern fits.
func (st *stage) spots(pattern string) (all []lab.Spot) {
	for _, s := range st.world.Spots() {
		if scenario.Match(pattern, s.Name()) {
			all = append(all, s)
		}
	}
	return all
}

// away is where the folder of a device is that is not mounted.
func (st *stage) away(s lab.Spot) string {
	return filepath.Join(st.options.Dir, "away", s.Name())
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (st *stage) devices(step scenario.Step) error {
	all := st.spots(step.What)
	if len(all) == 0 {
		return fmt.Errorf("%w: no device is called %s", ErrScenario, step.What)
	}
	for _, s := range all {
		var err error
		switch step.Verb {
		case "unmount":
			err = st.unmount(s)
		case "mount":
			err = st.mount(s)
		case "wipe":
			err = st.cluster.Lose(lab.Place{Node: st.cluster.Node(s.Node), Disk: s.Device})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) unmount(s lab.Spot) error {
	if there(st.away(s)) {
		return nil // it is not there
	}
	if err := os.MkdirAll(filepath.Dir(st.away(s)), 0o755); err != nil {
		return err
	}
	return os.Rename(s.Path(st.options.Dir), st.away(s))
}

// mount brings a device back. Whatever somebody has put in its place meanwhile is a
// finding: nothing may be written below a mount point that has lost its disk.
func (st *stage) mount(s lab.Spot) error {
	path := s.Path(st.options.Dir)
	if !there(st.away(s)) {
		return nil // it is not away
	}
	if there(path) {
		st.diary.say(s.Name(), "something was written while the device was away")
		st.tally.mu.Lock()
		st.tally.touched = append(st.tally.touched, s.Name()+": something was written while the device was away")
		st.tally.mu.Unlock()
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return os.Rename(st.away(s), path)
}

// weigh changes the rings and tells nodes of it.
func (st *stage) weigh(s scenario.Step) (err error) {
	st.clients.Still(func() {
		if err = st.world.Reweigh(s.What, s.Weight); err == nil {
			err = st.cluster.WriteRings(st.world, func(node int) bool {
				return scenario.Match(s.For, lab.WorldNode{Number: node}.Name())
			})
		}
	})
	return err
}

func (st *stage) hurt(s scenario.Step) (err error) {
	n := 0
	st.clients.Still(func() {
		n, err = st.world.Hurt(st.options.Dir, s.Verb, s.Count, func(spot lab.Spot) bool {
			return scenario.Match(s.What, spot.Name())
		}, st.rng)
	})
	if err == nil && n < s.Count {
		st.diary.say("", "  only %d copies were there", n)
	}
	return err
}

// await waits until something has happened.
func (st *stage) await(ctx context.Context, s scenario.Step) error {
	return st.until(ctx, s.String(), within(s), func() bool {
		switch s.State {
		case "fired":
			return st.coverage()[s.What] >= s.Count
		case "log":
			return st.diary.logged(s.What) > 0
		}
		return st.diary.was(func(device string) bool { return scenario.Match(s.What, device) }, s.State) > 0
	})
}
