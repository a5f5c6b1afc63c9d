package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/scenario"
	"understudy/internal/swift/hashes"
)

func tale(t *testing.T, cluster, data string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("title t\n[cluster]\n" + cluster + "\n[data]\n" + data + "\n[steps]\npass")
	must(t, err)
	return s
}

// A world that is told is the same each time, and each object is where it is said to be.
func TestTold(t *testing.T) {
	s := tale(t, "nodes 4\ndevices 2\nregion 2 of n4\nweight n1/d1 out\npolicies 2", strings.Join([]string{
		"objects 5 size 3-4k: put 2h on primaries",
		"objects 5 policy 1: put 3h on 1 primary and 2 handoffs",
		"objects 5: put 40h on primaries; delete 30h on primaries except n2",
		"objects 5: put 3h on primaries; post 1h on 1 primary",
	}, "\n"))
	w, err := Told(s, 7, worldNow)
	must(t, err)
	again, err := Told(s, 7, worldNow)
	must(t, err)
	if len(w.Objects) != 20 || w.Nodes[3].Region != 2 || w.Policies[1].In(Spot{1, "d1"}) {
		t.Fatalf("%d objects, nodes %+v", len(w.Objects), w.Nodes)
	}
	for i, o := range w.Objects {
		if !slices.Equal(o.Primary(), again.Objects[i].Primary()) || o.Want != again.Objects[i].Want {
			t.Errorf("%s is another the second time", o.Name)
		}
		primaries, away := 0, 0
		for s := range o.Copies {
			if o.Handoff(s) {
				away++
			} else {
				primaries++
			}
		}
		switch i / 5 {
		case 0:
			if primaries != 3 || away != 0 || o.Files[o.Want.Data+".data"].Size < 3<<10 {
				t.Errorf("%s: on %v", o.Name, o.Copies)
			}
		case 1:
			if primaries != 1 || away != 2 || o.Policy.Index != 1 {
				t.Errorf("%s: on %v", o.Name, o.Copies)
			}
		case 2:
			if o.Want.Tombstone == "" || !o.Loose {
				t.Errorf("%s: %+v", o.Name, o.Want)
			}
			for s, files := range o.Copies {
				if deleted := strings.HasSuffix(files[0], ".ts"); deleted == (s.Node == 2) {
					t.Errorf("%s on %s: %v", o.Name, s, files)
				}
			}
		case 3:
			if o.Want.Meta == "" {
				t.Errorf("%s: %+v", o.Name, o.Want)
			}
		}
	}
	for data, want := range map[string]string{
		"objects 1: put 1h on 6 handoffs":             "partition has only 5 such devices",
		"objects 1: put 1h on primaries except n*":    "nobody has taken it",
		"objects 1: put 1h on 4 primaries":            "partition has only 3 such devices",
		"objects 1: put 1h on 1 primary except n1|n2": "",
	} {
		_, err := Told(tale(t, "nodes 4\ndevices 2", data), 1, worldNow)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// Primary are the object's primaries, to compare.
func (o *WorldObject) Primary() []Spot { return o.Policy.Primaries(o.Partition) }

// Each harm is one that the judge sees, but for temporary files, which are none.
func TestHarms(t *testing.T) {
	for _, verb := range scenario.Harms {
		w, err := Told(tale(t, "nodes 3\ndevices 1", "objects 1 size 4k: put 1h on primaries; "+verb+" on 1 primary"), 1, time.Now())
		must(t, err)
		root := t.TempDir()
		must(t, w.Plant(root))
		found, err := w.Judge(root)
		must(t, err)
		wrong := slices.ContainsFunc(found, func(f Finding) bool { return f.Kind == Wrong })
		if wrong == (verb == "temp") || slices.ContainsFunc(found, func(f Finding) bool { return f.Kind == Lost }) {
			t.Errorf("%s: %v", verb, found)
		}
	}
}

// Clients write to the primaries that can be reached, and to handoffs in the place of the
// others; nobody, and they say so. What they have written is history.
func TestClients(t *testing.T) {
	w, err := Told(tale(t, "nodes 3\ndevices 2", "objects 3"), 1, time.Now())
	must(t, err)
	c, err := NewOf(t.Context(), t.TempDir(), w)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	down := 1
	clients := NewClients(w, c.Dir)
	clients.Reaches = func(s Spot) bool { return s.Node != down && down != 0 }
	clients.Store = func(node int) Invalidator { return c.Node(node).Disk() }
	for _, verb := range []string{"put", "put", "put", "put", "put", "put", "delete", "delete", "post"} {
		must(t, clients.Write(t.Context(), verb))
	}
	found, err := w.Judge(c.Dir)
	must(t, err)
	short, left := 0, 0
	for _, f := range found {
		switch f.Kind {
		case Short, Resurrected: // it has missed a deletion, too
			short++
			if f.Device.Node != down {
				t.Error(f)
			}
		case Left:
			left++
		default:
			t.Error(f)
		}
	}
	if short == 0 || left == 0 {
		t.Errorf("%d short, %d left", short, left)
	}
	down = 0
	if err := clients.Write(t.Context(), "put"); !errors.Is(err, errNobody) {
		t.Errorf("got %v", err)
	}
}

// reaches asks a node's server something and tells what comes of it.
func reaches(t *testing.T, n *Node) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "REPLICATE", "http://"+n.addr()+"/d1/0", http.NoBody)
	must(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w", res.Status, err)
	}
	_, err = hashes.DecodeWire(body)
	return err
}

// Nodes can be killed, revived, frozen, thawed, and replaced by impostors, in any order.
func TestLife(t *testing.T) {
	w, err := Told(tale(t, "nodes 1\ndevices 3", "objects 3"), 1, time.Now())
	must(t, err)
	c, err := NewOfSpec(t.Context(), w, Spec{
		Dir: t.TempDir(), Options: w.Options, OwnRings: true, Log: func(int) zerolog.Logger { return zerolog.Nop() },
	})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	n := c.Node(1)
	must(t, reaches(t, n))
	must(t, n.Kill())
	must(t, n.Kill())
	if err := reaches(t, n); !errors.Is(err, syscall.ECONNREFUSED) || n.Up() {
		t.Errorf("killed: %v", err)
	}
	must(t, n.Revive())
	must(t, n.Revive())
	must(t, reaches(t, n))
	n.Freeze()
	n.Freeze()
	if err := reaches(t, n); !errors.Is(err, context.DeadlineExceeded) || !n.Frozen() {
		t.Errorf("frozen: %v", err)
	}
	n.Thaw()
	must(t, reaches(t, n))
	for _, role := range scenario.Roles {
		must(t, n.Impose(role))
		if err := reaches(t, n); err == nil || n.Up() {
			t.Errorf("%s: %v", role, err)
		}
	}
	must(t, n.Revive())
	n.Freeze()
	must(t, n.Kill())
	must(t, n.Revive())
	must(t, reaches(t, n))
}

// Copies that are hurt are those that are there.
func TestHurt(t *testing.T) {
	w, err := Told(tale(t, "nodes 3\ndevices 1", "objects 4 size 1k"), 1, time.Now())
	must(t, err)
	root := t.TempDir()
	must(t, w.Plant(root))
	n, err := w.Hurt(root, "truncate", 100, func(s Spot) bool { return s.Node == 2 }, dice{1}.of("hurt"))
	must(t, err)
	cut, err := filepath.Glob(filepath.Join(root, "srv", "2", "d1", "objects", "*", "*", "*", "*.data"))
	must(t, err)
	if n != 4 || len(cut) != 4 {
		t.Fatalf("%d hurt of %d", n, len(cut))
	}
	for _, path := range cut {
		if info, err := os.Stat(path); err != nil || info.Size() != 512 {
			t.Errorf("%s: %v, %v", path, info.Size(), err)
		}
	}
}
