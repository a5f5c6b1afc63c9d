package lab

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// JudgeHashes asks the object servers of all primaries for the suffix hashes of
// every partition that has objects, and compares their answers with the names on
// their disks and with each other. Asked servers tidy up: judge the files before.
func (w *World) JudgeHashes(ctx context.Context, root string, at Addresses) ([]Finding, error) {
	questions := w.questions()
	if err := w.askAll(ctx, questions, at); err != nil {
		return nil, fmt.Errorf("judge hashes of seed %d: %w", w.Seed, err)
	}
	j, err := w.look(root)
	if err != nil {
		return nil, fmt.Errorf("judge hashes of seed %d: %w", w.Seed, err)
	}
	j.found = nil // of the files: Judge tells
	first := map[string]suffixHashes{}
	for _, q := range questions {
		if q.err != nil {
			j.add(Mismatch, nil, q.spot, q.dir(), "its server: %v", q.err)
			continue
		}
		j.compare(q, "the files here", hashAll(live(j.names[partKey(q.spot, q.dir())])))
		if first[q.dir()] == nil {
			first[q.dir()] = q.told
		}
		j.compare(q, "an earlier primary", first[q.dir()])
	}
	SortFindings(j.found)
	return j.found, nil
}

// live leaves out files that others end: a server may not have looked yet, but
// they make no difference to its hashes.
func live(names map[string]map[string][]string) map[string]map[string][]string {
	for _, dirs := range names {
		for hash, files := range dirs {
			gone := superseded(files)
			dirs[hash] = slices.DeleteFunc(files, func(f string) bool { return slices.Contains(gone, f) })
		}
	}
	return names
}

func (j *judge) compare(q *question, whose string, want suffixHashes) {
	all := maps.Collect(maps.All(want))
	maps.Copy(all, q.told)
	for _, suffix := range slices.Sorted(maps.Keys(all)) {
		if q.told[suffix] != want[suffix] {
			j.add(Mismatch, nil, q.spot, q.dir(), "suffix %s: its server tells %q, not %q as %s", suffix, q.told[suffix], want[suffix], whose)
		}
	}
}

// question is one partition of one primary, and the answer.
type question struct {
	policy *WorldPolicy
	part   uint32
	spot   Spot
	told   suffixHashes
	err    error
}

func (q *question) dir() string { return filepath.Join(q.policy.Dir(), strconv.Itoa(int(q.part))) }

// questions are all primaries of all partitions that have objects, in order.
func (w *World) questions() (all []*question) {
	for _, p := range w.Policies {
		parts := map[uint32]bool{}
		for _, o := range w.Objects {
			if o.Policy == p {
				parts[o.Partition] = true
			}
		}
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			for _, s := range p.Primaries(part) {
				all = append(all, &question{policy: p, part: part, spot: s})
			}
		}
	}
	return all
}

func (w *World) askAll(ctx context.Context, questions []*question, at Addresses) error {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, Proxy: nil, DialContext: w.Dial}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.NumCPU())
	for _, q := range questions {
		group.Go(func() error {
			ip, port := at(q.spot.Node)
			q.told, q.err = ask(ctx, client, net.JoinHostPort(ip, strconv.Itoa(port)), q.spot.Device, q.part, q.policy.Index)
			return ctx.Err()
		})
	}
	return group.Wait()
}
