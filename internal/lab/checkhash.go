package lab

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/swift/hashes"
)

// checkHashes compares suffix hashes: of what the history says, of what the disk
// holds, and what the disk's server answers. When each primary's are those of the
// history, the primaries agree.
func (c *Cluster) checkHashes(ctx context.Context, h *History, places []Place, looks []*look) (*Verdict, error) {
	wanted := c.wantedHashes(h)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, Proxy: nil}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	found := make([]Verdict, len(places))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, p := range places {
		group.Go(func() error {
			onDisk := byPartition(looks[i].hashes())
			for _, part := range partitions(onDisk, wanted[p]) {
				want := wanted[p][part]
				path := "objects/" + strconv.FormatUint(uint64(part), 10)
				found[i].Suffixes += len(want)
				found[i].compareHashes(p, path, "by what is on the disk", onDisk[part], want)
				told, err := ask(ctx, client, p.Node.addr(), p.Disk, part, 0)
				switch {
				case ctx.Err() != nil:
					return ctx.Err()
				case err != nil:
					found[i].add(Mismatch, p.String(), path, "its server: %v", err)
				default:
					found[i].compareHashes(p, path, "as its server tells it", told, want)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	all := &Verdict{}
	for i := range found {
		all.merge(&found[i])
	}
	return all, err
}

// suffixHashes are md5s in hex by suffix.
type suffixHashes = map[string]string

func (v *Verdict) compareHashes(p Place, path, whose string, got, want suffixHashes) {
	for _, suffix := range slices.Sorted(maps.Keys(want)) {
		if got[suffix] != want[suffix] {
			v.add(Mismatch, p.String(), path, "hash of %s %s: %q instead of %s", suffix, whose, got[suffix], want[suffix])
		}
	}
	for _, suffix := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[suffix]; !ok {
			v.add(Mismatch, p.String(), path, "hash of %s %s: nothing is to be there", suffix, whose)
		}
	}
}

// wantedHashes are the suffix hashes that each primary must have.
func (c *Cluster) wantedHashes(h *History) map[Place]map[uint32]suffixHashes {
	names := map[string]map[string][]string{}
	for i := range h.Objects {
		o := &h.Objects[i]
		suffix := strconv.FormatUint(uint64(o.Partition), 10) + "/" + o.Suffix
		if names[suffix] == nil {
			names[suffix] = map[string][]string{}
		}
		for _, f := range o.Files {
			names[suffix][o.Hash] = append(names[suffix][o.Hash], f.Name)
		}
	}
	all := map[Place]map[uint32]suffixHashes{}
	for part, suffixes := range byPartition(hashAll(names)) {
		for _, p := range c.Primaries(part) {
			if all[p] == nil {
				all[p] = map[uint32]suffixHashes{}
			}
			all[p][part] = suffixes
		}
	}
	return all
}

func (l *look) hashes() suffixHashes { return hashAll(l.names) }

// hashAll hashes suffixes, keyed by partition/suffix. It knows Swift's rule by
// itself and asks none of the engine's code. Swift: obj/diskfile.py _hash_suffix.
func hashAll(names map[string]map[string][]string) suffixHashes {
	all := suffixHashes{}
	for suffix, dirs := range names {
		sum := md5.New()
		for _, dir := range slices.Sorted(maps.Keys(dirs)) {
			_, _ = io.WriteString(sum, hashText(dirs[dir]))
		}
		all[suffix] = hex.EncodeToString(sum.Sum(nil))
	}
	return all
}

func byPartition(all suffixHashes) map[uint32]suffixHashes {
	parts := map[uint32]suffixHashes{}
	for key, sum := range all {
		part, suffix, _ := strings.Cut(key, "/")
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			continue // no partition: its files are extra
		}
		if parts[uint32(n)] == nil {
			parts[uint32(n)] = suffixHashes{}
		}
		parts[uint32(n)][suffix] = sum
	}
	return parts
}

// partitions are those of two sets, in order.
func partitions(a, b map[uint32]suffixHashes) []uint32 {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// hashText is what the files of one object add to the hash of their suffix:
// times in Swift's internal form, told from the names as Swift writes them. Of
// each kind the newest counts; these texts compare as the times do.
func hashText(names []string) string {
	var data, tombstone, meta, ctype string
	for _, name := range names {
		stem, ext := strings.TrimSuffix(name, "."+name[strings.LastIndexByte(name, '.')+1:]), name[strings.LastIndexByte(name, '.')+1:]
		switch ext {
		case "data":
			data = max(data, stem)
		case "ts":
			tombstone = max(tombstone, stem)
		case "meta":
			at, typed := metaTimes(stem)
			meta, ctype = max(meta, at), max(ctype, typed)
		}
	}
	text := ""
	switch {
	case data != "" && meta > data:
		text = meta + ".meta" + data + ".data"
	case data != "":
		text = data + ".data"
	case tombstone != "":
		text = tombstone + ".ts"
	}
	if data != "" && ctype > data {
		text += ctype + "_ctype"
	}
	return text
}

// metaTimes reads the stem of a .meta file: its time and that of its content
// type, which is empty when it has none.
func metaTimes(stem string) (at, typed string) {
	sign := strings.IndexAny(stem, "+-")
	if sign < 0 {
		return internal(stem), ""
	}
	at = internal(stem[:sign])
	delta, err := strconv.ParseInt(stem[sign:], 16, 64)
	if err != nil || delta == 0 {
		return at, at
	}
	seconds, decimals, _ := strings.Cut(stem[:sign], ".")
	units, err := strconv.ParseInt(seconds+decimals[:min(5, len(decimals))], 10, 64)
	if err != nil {
		return at, ""
	}
	units += delta
	return at, fmt.Sprintf("%010d.%05d", units/100_000, units%100_000)
}

// internal pads the offset of a time to 16 hex digits.
func internal(short string) string {
	time, offset, ok := strings.Cut(short, "_")
	if !ok {
		return time
	}
	return time + "_" + strings.Repeat("0", max(0, 16-len(offset))) + offset
}

// addr is where the node's object server listens.
func (n *Node) addr() string { return net.JoinHostPort(n.IP, strconv.Itoa(n.Port)) }

// ask asks an object server for the suffix hashes of a partition.
func ask(ctx context.Context, client *http.Client, addr, disk string, part uint32, policy int) (suffixHashes, error) {
	url := fmt.Sprintf("http://%s/%s/%d", addr, disk, part)
	req, err := http.NewRequestWithContext(ctx, "REPLICATE", url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Backend-Storage-Policy-Index", strconv.Itoa(policy))
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, hashes.MaxWire))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", res.Status)
	}
	return hashes.DecodeWire(answer)
}
