package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/inspect"
	"understudy/messages"
)

// pass runs one pass of one node's engine.
func (l *looked) pass(node int) messages.Stats {
	l.Helper()
	engine, err := bootstrap.New(bootstrap.Settings{Config: l.Node(node).Config, Once: true, Log: zerolog.Nop()})
	if err != nil {
		l.Fatal(err)
	}
	stats, err := engine.Run(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	return stats
}

func (l *looked) dryRun(node int, more ...string) *inspect.Pass {
	l.Helper()
	l.look(node, append([]string{"dry-run"}, more...)...)
	p := &inspect.Pass{}
	if err := json.Unmarshal([]byte(l.look(node, append([]string{"dry-run", "--json"}, more...)...)), p); err != nil {
		l.Fatal(err)
	}
	return p
}

// dryTotals are the sums over all devices.
type dryTotals struct {
	partitions, inSync, updates, pushes, suffixes, handoffs, offers, failed, left, unanswered int
}

func totalsOf(p *inspect.Pass) (t dryTotals) {
	for _, d := range p.Devices {
		t.partitions += d.Partitions
		t.inSync += d.InSync
		t.updates += d.Updates
		t.handoffs += d.Handoffs
		t.failed += d.Failed
		t.left += d.LeftAlone
		for _, peer := range d.Peers {
			t.pushes += peer.Pushes
			t.suffixes += peer.Suffixes
			t.offers += peer.Handoffs
			t.unanswered += peer.Unanswered
		}
	}
	return t
}

// What a dry run tells of a node is what the next pass of its engine does, and after
// that nothing is left to tell. The third node has lost suffixes of every second
// partition; the first one holds a handoff.
func TestDryRunForetellsThePass(t *testing.T) {
	for _, method := range []string{"ssync", "rsync"} {
		t.Run(method, func(t *testing.T) { foretell(t, method) })
	}
}

func foretell(t *testing.T, method string) {
	l := newLooked(t, map[string]string{"sync_method": method})
	before := totalsOf(l.dryRun(1))
	if before.pushes+before.handoffs+before.failed > 0 || before.inSync != before.partitions || before.partitions == 0 {
		t.Fatalf("before anything is broken: %+v", before)
	}
	// The disk of the first node that is no primary gets a copy of a partition.
	var handoff uint32
	for part := range l.Ring.Partitions() {
		place := l.Primaries(part)[0]
		from := filepath.Join(place.Path(), "objects", strconv.Itoa(int(part)))
		if _, err := os.Stat(from); err != nil {
			continue
		}
		handoff = part
		for _, disk := range l.Node(1).Disks {
			to := filepath.Join(l.Node(1).DevicesRoot(), disk, "objects", strconv.Itoa(int(part)))
			if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
				copyTree(t, from, to)
			}
		}
		break
	}
	lost := map[string]bool{}
	for _, o := range l.history.Objects {
		if o.Partition == handoff || o.Partition%2 == 0 {
			continue
		}
		for _, p := range l.Primaries(o.Partition) {
			dir := filepath.Join(p.Path(), "objects", strconv.Itoa(int(o.Partition)))
			if p.Node.Number != 3 {
				continue
			}
			lost[filepath.Join(dir, o.Suffix)] = true
			if err := os.RemoveAll(filepath.Join(dir, o.Suffix)); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(filepath.Join(dir, "hashes.invalid"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(o.Suffix + "\n")
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}

	told := totalsOf(l.dryRun(1))
	if told.handoffs != 1 || told.offers != 3 || told.suffixes != len(lost) || told.pushes == 0 || told.failed > 0 {
		t.Errorf("%d suffixes are lost: %+v", len(lost), told)
	}
	done := l.pass(1)
	if done.Rsync != told.pushes+told.offers || done.SuffixSync != told.suffixes || done.Remove != told.handoffs || done.Failure != 0 {
		t.Errorf("told %+v, done %+v", told, done)
	}
	after := totalsOf(l.dryRun(1))
	if after != before {
		t.Errorf("after the pass %+v, before it was broken %+v", after, before)
	}
}

func TestDryRunPart(t *testing.T) {
	l := newLooked(t, nil)
	all := l.dryRun(1)
	if len(all.Devices) != 2 {
		t.Fatalf("%+v", all)
	}
	first := all.Devices[0]
	one := l.dryRun(1, "--device", first.Device, "--policy", "gold")
	if len(one.Devices) != 1 || one.Devices[0].Partitions != first.Partitions {
		t.Errorf("%+v", one)
	}
	if p := l.dryRun(1, "--limit", "1"); !p.Devices[0].Limited || totalsOf(p).partitions != 2 {
		t.Errorf("%+v", p)
	}
	if p := l.dryRun(1, "--partitions", "100-200,300"); totalsOf(p).partitions != 0 {
		t.Errorf("%+v", p)
	}
	if p := totalsOf(l.dryRun(1, "--partitions", "0-3,4-7")); p != totalsOf(all) {
		t.Errorf("%+v", p)
	}
	// What is outside the ring is left alone, what is a file fails, and a disk that is gone is told.
	objects := filepath.Join(l.Node(1).DevicesRoot(), first.Device, "objects")
	if err := os.Mkdir(filepath.Join(objects, "4711"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(objects, "4712"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if p := totalsOf(l.dryRun(1)); p.left != 1 || p.failed != 1 {
		t.Errorf("%+v", p)
	}
	other := filepath.Join(l.Node(1).DevicesRoot(), all.Devices[1].Device)
	if err := os.Rename(other, other+"-away"); err != nil {
		t.Fatal(err)
	}
	if p := l.dryRun(1); len(p.Devices[1].Errors) != 1 || p.Devices[1].Partitions != 0 {
		t.Errorf("%+v", p)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Nobody answers, and nobody is asked for ever.
	p := l.dryRun(1)
	if n := totalsOf(p); n.unanswered == 0 || n.inSync > 0 || n.updates > 0 {
		t.Errorf("%+v", n)
	}
}

func TestDryRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--partitions", "x"}, {"--partitions", "5-3"}, {"--partitions", "4294967296"}, {"--partitions", "-1"}, {"--limit", "-1"}, {"extra"},
	} {
		if err := run(append([]string{"dry-run"}, args...), &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
	l := newLooked(t, nil)
	conf := []string{"--config", l.Node(1).ConfPath(), "--swift-conf", filepath.Join(l.Dir, "etc", "swift.conf")}
	if why := fails(t, append([]string{"dry-run", "--device", "sdz"}, conf...)...); !strings.Contains(why, "sdz") {
		t.Error(why)
	}
	fails(t, append([]string{"dry-run", "--policy", "none"}, conf...)...)
	if err := os.WriteFile(filepath.Join(l.Dir, "etc", "object.ring.gz"), []byte("\x1f\x8b"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, append([]string{"dry-run"}, conf...)...)
}
