package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"understudy/internal/bench/hang"
	"understudy/internal/bench/node"
)

const (
	hangGoal = 1.1
	sick     = 0 // the disk that hangs
)

// measureHang is B10.
func measureHang(ctx context.Context, r rig) (_ entry, err error) {
	w, err := newWard(r)
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, w.n.Close()) }()
	fine, hung, err := w.both(ctx, r)
	if err != nil {
		return entry{}, err
	}
	p := pairs{theirs: fine, ours: hung}
	return entry{
		Table: "hang",
		Rows: [][]string{{
			"ours", strconv.Itoa(len(fine)), seconds(fine, wall), seconds(hung, wall), p.ratio(wall), p.atMost(hangGoal, wall),
		}},
		Below: []string{fmt.Sprintf("%d disks with %d partitions each; the disk hangs when a quarter of the others' have been asked about.",
			w.disks, len(w.n.Partitions(sick)))},
		Goals:   []goal{p.goal("wall", hangGoal, wall)},
		Samples: map[string][]float64{"no hang, s": inSeconds(fine, wall), "one disk hangs, s": inSeconds(hung, wall)},
	}, nil
}

// ward is a node of which one disk can hang. It counts what the peers are asked.
type ward struct {
	n       *node.Node
	disks   int
	mount   *hang.Mount  // of the disk that hangs; nil while that is as the others are
	owner   []uint16     // of each partition of the ring: its disk
	healthy atomic.Int64 // requests about partitions of the other disks
}

func newWard(r rig) (*ward, error) {
	spec := node.Spec{Base: r.Base, Disks: 60, Partitions: 2000, Cached: true, Options: map[string]string{"interval": "3600"}}
	if r.Smoke {
		spec.Disks, spec.Partitions = 6, 50
	}
	r.say("B10: filling %d × %d partitions", spec.Disks, spec.Partitions)
	n, err := node.New(spec)
	if err != nil {
		return nil, err
	}
	w := &ward{n: n, disks: spec.Disks}
	for disk := range w.disks {
		for _, part := range n.Partitions(disk) {
			if int(part) >= len(w.owner) {
				w.owner = append(w.owner, make([]uint16, int(part)+1-len(w.owner))...)
			}
			w.owner[part] = uint16(disk)
		}
	}
	return w, nil
}

// start starts a replicator and counts from there on. With ill, the disk is a mount
// that hangs when a quarter of the other disks' partitions have been asked about. The
// caller ends what has begun, also after an error.
func (w *ward) start(program string, options map[string]string, ill bool) (run *node.Run, end func() error, err error) {
	end = func() error {
		if w.mount != nil {
			w.mount.Resume() // what hangs cannot be killed
		}
		var err error
		if run != nil {
			err = run.Kill()
		}
		return errors.Join(err, w.recover())
	}
	w.healthy.Store(0)
	if ill {
		if err := w.fallIll(); err != nil {
			return nil, end, err
		}
	}
	err = w.n.Peers.Reset(func(part uint32) {
		if w.owner[part] != sick && w.healthy.Add(1) == w.all()/4 && ill {
			w.mount.Hang()
		}
	})
	if err == nil {
		run, err = w.n.Start(program, options)
	}
	return run, end, err
}

// fallIll puts a mount in the place of the disk.
func (w *ward) fallIll() error {
	target := w.n.Disk(sick)
	source := filepath.Join(w.n.Root, "sick")
	if err := errors.Join(os.Rename(target, source), os.Mkdir(target, 0o755)); err != nil {
		return fmt.Errorf("make a disk that can hang: %w", err)
	}
	var err error
	w.mount, err = hang.New(source, target)
	return err
}

// recover puts the disk itself back, if it is not there.
func (w *ward) recover() error {
	if w.mount == nil {
		return nil
	}
	err := w.mount.Close()
	w.mount = nil
	target := w.n.Disk(sick)
	if err := errors.Join(err, os.Remove(target), os.Rename(filepath.Join(w.n.Root, "sick"), target)); err != nil {
		return fmt.Errorf("put a disk back: %w", err)
	}
	return nil
}

// all is how many requests there are about partitions of the other disks.
func (w *ward) all() int64 { return int64(2 * (w.n.Total() - len(w.n.Partitions(sick)))) }

// both measures our passes without and with a hang, in turn. The first of each only
// warms up.
func (w *ward) both(ctx context.Context, r rig) (fine, hung []sample, err error) {
	order := []bool{false, true}
	for i := range min(r.Runs, 5) + 1 {
		slices.Reverse(order)
		for _, ill := range order {
			s, err := w.ours(ctx, r, ill)
			if err != nil {
				return nil, nil, err
			}
			r.say("B10: run %d, hang %v: %.2f s", i, ill, s.wall.Seconds())
			switch {
			case i == 0:
			case ill:
				hung = append(hung, s)
			default:
				fine = append(fine, s)
			}
		}
	}
	return fine, hung, nil
}

// ours runs our daemon until the peers have been asked about everything on the other
// disks. With a hang, the daemon must say that it has noticed.
func (w *ward) ours(ctx context.Context, r rig, ill bool) (_ sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	run, end, err := w.start(r.ours.Path, map[string]string{"probe_interval": "1", "probe_timeout": "2"}, ill)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return sample{}, err
	}
	err = run.Await(ctx, "the pass of the other disks", func() (bool, error) { return w.healthy.Load() >= w.all(), nil })
	if err != nil {
		return sample{}, fmt.Errorf("%w (%d of %d requests)", err, w.healthy.Load(), w.all())
	}
	took := time.Since(run.Begun)
	if ill {
		err = run.Await(ctx, "the state of the disk that hangs", func() (bool, error) {
			var devices map[string]struct {
				State string `json:"state"`
			}
			_, err := w.n.Recon("understudy_devices", &devices)
			return devices["d1"].State == "stalled", err
		})
	}
	return sample{wall: took}, err
}
