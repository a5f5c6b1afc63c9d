package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// DeviceState is what our replicator tells of a device in the recon cache.
type DeviceState struct {
	State    string   `json:"state"`
	Disk     string   `json:"disk"` // "" is fine
	Why      string   `json:"why"`
	Since    float64  `json:"since"` // seconds since 1970, as all times
	Begun    *float64 `json:"pass_begun"`
	Done     int      `json:"pass_done"`
	Jobs     int      `json:"pass_jobs"`
	Complete *float64 `json:"pass_complete"` // end of the last complete pass
}

func (s DeviceState) String() string {
	return fmt.Sprintf("%s/%q (%s) %d of %d jobs", s.State, s.Disk, s.Why, s.Done, s.Jobs)
}

// DeviceStates reads from the node's recon cache file how its devices are. There are
// none before our replicator has written any.
func (n *Node) DeviceStates() (map[string]DeviceState, error) {
	raw, err := os.ReadFile(filepath.Join(n.CachePath(), "object.recon"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read recon cache: %w", err)
	}
	var recon struct {
		Devices map[string]DeviceState `json:"understudy_devices"`
	}
	if err := json.Unmarshal(raw, &recon); err != nil {
		return nil, fmt.Errorf("read recon cache of node %d: %w", n.Number, err)
	}
	return recon.Devices, nil
}

// ForgetRecon removes the node's recon cache file.
func (n *Node) ForgetRecon() error {
	if err := os.Remove(filepath.Join(n.CachePath(), "object.recon")); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("forget recon of node %d: %w", n.Number, err)
	}
	return nil
}
