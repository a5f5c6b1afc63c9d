package cluster

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Send does one operation through the node's running object server, as a proxy
// would, and returns the status. The server does not look into the ring: any
// partition can be named. The Op's Copies have no meaning here.
func (n *Node) Send(ctx context.Context, device string, partition int, op Op) (int, error) {
	fail := func(err error) (int, error) {
		return 0, fmt.Errorf("%s %s to node %d: %w", op.Kind, op.Name, n.Number, err)
	}
	var body io.Reader
	if op.Kind == Put {
		body = bytes.NewReader(Body(op.Body, op.Size))
	}
	u := url.URL{Scheme: "http", Host: n.Addr(), Path: fmt.Sprintf("/%s/%d%s", device, partition, op.Name)}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(op.Kind), u.String(), body)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("X-Timestamp", op.At)
	req.Header.Set("X-Backend-Storage-Policy-Index", strconv.Itoa(op.Policy))
	for k, v := range op.Headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fail(err)
	}
	return resp.StatusCode, nil
}

// Did remembers an operation that was done by Send.
func (h *History) Did(op Op) { h.ops = append(h.ops, op) }

// Body is what an Op of Kind Put writes, the same as lab.py body_of.
func Body(seed, size int) []byte {
	block := sha256.Sum256([]byte(strconv.Itoa(seed)))
	return bytes.Repeat(block[:], size/len(block)+1)[:size]
}

// hashOf is Swift's hash of an object's name in this cluster.
func hashOf(name string) [md5.Size]byte { return md5.Sum([]byte("before" + name + "after")) }

// Partition is the partition of an object in a ring of a part power.
func Partition(name string, partPower int) int {
	hash := hashOf(name)
	return int(binary.BigEndian.Uint32(hash[:4]) >> (32 - partPower))
}

// HashDir is where an object's files are on a device.
func (n *Node) HashDir(device string, policy, partition int, name string) string {
	hash := fmt.Sprintf("%x", hashOf(name))
	return filepath.Join(n.ObjectsPath(device, policy), strconv.Itoa(partition), hash[len(hash)-3:], hash)
}

// Lost are the objects of the history of which the newest state is nowhere any
// more: on no device at all, whole and with its metadata.
func Lost(copies []Copy, h *History) []string {
	type version struct{ name, at string }
	whole, written := map[version]bool{}, map[version]bool{}
	for _, c := range copies {
		for path, f := range c.Objects() {
			name, _ := f.Metadata["name"].(string)
			at, _ := f.Metadata["X-Timestamp"].(string)
			if strings.HasSuffix(path, ".data") {
				if f.Metadata["ETag"] != f.MD5 || f.Metadata["Content-Length"] != strconv.Itoa(f.Size) {
					continue // cut short, or worse
				}
				whole[version{name, f.MD5}] = true
			}
			written[version{name, at}] = true
		}
	}
	var lost []string
	for k, o := range h.Expect() {
		switch {
		case !written[version{k.Name, o.At}]:
			lost = append(lost, fmt.Sprintf("%q of %s", k.Name, o.At))
		case !o.Deleted && !whole[version{k.Name, o.MD5}]:
			lost = append(lost, fmt.Sprintf("the data of %q", k.Name))
		}
	}
	slices.Sort(lost)
	return lost
}
