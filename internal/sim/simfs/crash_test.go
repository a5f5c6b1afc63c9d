package simfs

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

func boot(d *Disk) *Machine {
	m := NewMachine(NewDisk("system", 1, 1<<30), Hooks{})
	m.Mount("/d", d)
	return m
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// put writes a file, and makes it durable as far as told.
func put(m *Machine, at store.Dir, name string, file, dir bool) {
	f := must(m.OpenFile(at, name, unix.O_WRONLY|unix.O_CREAT, 0o666))
	must(f.Write([]byte("content")))
	if file {
		f.Sync()
	}
	f.Close()
	if dir {
		m.SyncDir(at)
	}
}

// What a power cut leaves of a file follows from what was synced of it.
func TestCrash(t *testing.T) {
	for _, test := range []struct {
		file, dir bool
		percent   int
		want      string
	}{
		{true, true, 0, "content"},
		{true, false, 0, "nothing"},
		{false, false, 0, "nothing"},
		{false, false, 100, "content"},
		{false, true, 0, "torn"},
		{true, false, 100, "content"},
	} {
		d := NewDisk("d", 2, 1<<20)
		m := boot(d)
		put(m, must(m.OpenDir(store.Root, "/d", true)), "a", test.file, test.dir)
		m.Off()
		d.Crash(test.percent, rand.New(rand.NewPCG(1, 2)))
		l, ok := d.Look("a")
		got := "torn"
		if !ok {
			got = "nothing"
		} else if string(l.Data) == "content" {
			got = "content"
		}
		if got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
		if got == "content" && !l.Safe {
			t.Errorf("%+v: not safe after the power came back", test)
		}
	}
}

// A renamed file is under one of its names after a power cut, never under none;
// what a removed directory held is gone for good only if the removal is durable.
func TestCrashKeepsRenamesWhole(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		d := NewDisk("d", 2, 1<<20)
		m := boot(d)
		top := must(m.OpenDir(store.Root, "/d", true))
		m.Mkdir(top, "in")
		in := must(m.OpenDir(top, "in", false))
		put(m, in, "a", true, true)
		m.SyncDir(top)
		m.Rename(in, "a", top, "b")
		m.Rmdir(top, "in")
		put(m, top, "c", false, false)
		if rng.IntN(2) == 0 {
			m.SyncDir(in) // flushes the rename as a whole
		}
		m.Off()
		d.Crash(50, rng)
		_, old := d.Look("in/a")
		_, renamed := d.Look("b")
		if old == renamed {
			t.Errorf("seed %d: old name %v, new name %v: %v", seed, old, renamed, d.Names(""))
		}
	}
}

// A disk that is full says so, takes a part of a write, and counts right.
func TestRoom(t *testing.T) {
	d := NewDisk("d", 2, 100)
	m := boot(d)
	top := must(m.OpenDir(store.Root, "/d", true))
	f := must(m.OpenFile(top, "a", unix.O_WRONLY|unix.O_CREAT, 0o666)).(store.NewFile)
	if err := f.Allocate(101); err == nil {
		t.Error("101 bytes allocated on a disk of 100")
	}
	n, err := f.Write(make([]byte, 150))
	if n != 100 || err == nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	f.Close()
	if m.Mkdir(top, "b") == nil {
		t.Error("a directory on a full disk")
	}
	if err := m.Remove(top, "a"); err != nil {
		t.Error(err)
	}
	if d.Used() != 0 {
		t.Errorf("%d bytes used by nothing", d.Used())
	}
}

// What a process held is free when it is killed, and no more.
func TestOff(t *testing.T) {
	d := NewDisk("d", 2, 1<<20)
	m := boot(d)
	top := must(m.OpenDir(store.Root, "/d", true))
	f := must(m.OpenFile(top, "lock", unix.O_WRONLY|unix.O_CREAT, 0o666))
	g := must(m.OpenFile(top, ".", unix.O_WRONLY|unix.O_TMPFILE, 0o666))
	must(g.Write([]byte("x")))
	must(f.TryLock())
	m.Off()
	if m.Open() != 0 || d.Used() != 0 {
		t.Errorf("%d open, %d used", m.Open(), d.Used())
	}
	next := boot(d)
	h := must(next.OpenFile(must(next.OpenDir(store.Root, "/d", true)), "lock", unix.O_WRONLY, 0))
	if ok, err := h.TryLock(); !ok || err != nil {
		t.Error("the lock of a dead process is held", err)
	}
	if _, err := f.Write([]byte("late")); err == nil {
		t.Error("a dead process writes")
	}
}
