package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// Stats are the counters of one pass in the recon cache. Swift: obj/replicator.py
// Stats.
type Stats struct {
	Attempted    int                       `json:"attempted"`
	Failure      int                       `json:"failure"`
	HashMatch    int                       `json:"hashmatch"`
	Remove       int                       `json:"remove"`
	Rsync        int                       `json:"rsync"`
	Success      int                       `json:"success"`
	SuffixCount  int                       `json:"suffix_count"`
	SuffixHash   int                       `json:"suffix_hash"`
	SuffixSync   int                       `json:"suffix_sync"`
	FailureNodes map[string]map[string]int `json:"failure_nodes"`
}

// Recon is what Swift's recon middleware serves of the object replicator: five
// keys, null where nothing was recorded yet.
type Recon struct {
	Stats      *Stats   `json:"replication_stats"`
	Time       *float64 `json:"replication_time"` // minutes
	Last       *float64 `json:"replication_last"` // seconds since 1970
	ObjectTime *float64 `json:"object_replication_time"`
	ObjectLast *float64 `json:"object_replication_last"`
}

// Recon asks the node's running object server. Keys that Swift's tools do not
// know, and missing ones, are errors.
func (n *Node) Recon(ctx context.Context) (*Recon, error) {
	url := "http://" + n.Addr() + "/recon/replication/object"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask recon of node %d: %w", n.Number, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask recon of node %d: %w", n.Number, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask recon of node %d: %s", n.Number, resp.Status)
	}
	raw := map[string]json.RawMessage{}
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		return nil, fmt.Errorf("read recon of node %d: %w", n.Number, err)
	}
	return parseRecon(raw)
}

// ReconFile reads the same from the node's recon cache file, whose first line is
// all that Swift's tools read. No file is an empty Recon.
func (n *Node) ReconFile() (*Recon, error) {
	f, err := os.Open(filepath.Join(n.CachePath(), "object.recon"))
	if os.IsNotExist(err) {
		return &Recon{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read recon cache: %w", err)
	}
	defer f.Close()
	raw := map[string]json.RawMessage{}
	if err := json.NewDecoder(f).Decode(&raw); err != nil {
		return nil, fmt.Errorf("read recon cache of node %d: %w", n.Number, err)
	}
	return parseRecon(raw)
}

func parseRecon(raw map[string]json.RawMessage) (*Recon, error) {
	r := &Recon{}
	for key, into := range map[string]any{
		"replication_stats": &r.Stats, "replication_time": &r.Time, "replication_last": &r.Last,
		"object_replication_time": &r.ObjectTime, "object_replication_last": &r.ObjectLast,
	} {
		value, ok := raw[key]
		if !ok {
			return nil, fmt.Errorf("read recon: no key %s", key)
		}
		if err := json.Unmarshal(value, into); err != nil {
			return nil, fmt.Errorf("read recon key %s: %w", key, err)
		}
	}
	return r, nil
}
