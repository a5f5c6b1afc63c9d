package ring

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Device is one device of a ring, with the fields and the JSON names of Swift.
// Devices of a loaded ring are never changed.
type Device struct {
	Device          string  `json:"device"` // directory name below the devices root
	ID              int     `json:"id"`     // index in the ring's list of devices
	IP              string  `json:"ip"`
	Meta            string  `json:"meta"`
	Port            int     `json:"port"`
	Region          int     `json:"region"`           // 1 when the file has none
	ReplicationIP   string  `json:"replication_ip"`   // IP when the file has none
	ReplicationPort int     `json:"replication_port"` // Port when the file has none
	Weight          float64 `json:"weight"`
	Zone            int     `json:"zone"`
}

// fileDevice tells a missing key from a zero.
type fileDevice struct {
	Device          *string `json:"device"`
	ID              *int    `json:"id"`
	IP              *string `json:"ip"`
	Meta            string  `json:"meta"`
	Port            *int    `json:"port"`
	Region          *int    `json:"region"`
	ReplicationIP   string  `json:"replication_ip"`
	ReplicationPort int     `json:"replication_port"`
	Weight          float64 `json:"weight"`
	Zone            *int    `json:"zone"`
}

// parseDevices reads the list of devices. A null is a removed device.
// Swift: common/ring/ring.py normalize_devices.
func parseDevices(text []byte) ([]*Device, error) {
	var raw []*fileDevice
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	if len(raw) > maxDevices {
		return nil, fmt.Errorf("the ring has %d devices, more than %d", len(raw), maxDevices)
	}
	devices := make([]*Device, len(raw))
	for i, f := range raw {
		if f == nil {
			continue
		}
		d, err := f.device(i)
		if err != nil {
			return nil, fmt.Errorf("device %d: %w", i, err)
		}
		devices[i] = d
	}
	return devices, nil
}

func (f *fileDevice) device(index int) (*Device, error) {
	for _, key := range []struct {
		name    string
		missing bool
	}{
		{"id", f.ID == nil},
		{"device", f.Device == nil},
		{"ip", f.IP == nil},
		{"port", f.Port == nil},
		{"zone", f.Zone == nil},
	} {
		if key.missing {
			return nil, fmt.Errorf("has no %s", key.name)
		}
	}
	if *f.ID != index {
		return nil, fmt.Errorf("calls itself %d", *f.ID)
	}
	d := &Device{
		Device: *f.Device, ID: index, IP: *f.IP, Meta: f.Meta, Port: *f.Port, Region: 1,
		ReplicationIP: f.ReplicationIP, ReplicationPort: f.ReplicationPort, Weight: f.Weight, Zone: *f.Zone,
	}
	if f.Region != nil {
		d.Region = *f.Region
	}
	if d.ReplicationIP == "" {
		d.ReplicationIP = d.IP
	}
	if d.ReplicationPort == 0 {
		d.ReplicationPort = d.Port
	}
	return d, d.check()
}

// check refuses what could lead a path, an address or a command line astray:
// device names become directories, and names and addresses become arguments of rsync.
//
// Unlike Swift: a ring with such a device is not loaded. Swift loads it and
// fails, or worse, when the device is used.
func (d *Device) check() error {
	switch {
	case d.Device == "" || d.Device == "." || d.Device == ".." || strings.Contains(d.Device, "/") || unprintable(d.Device):
		return fmt.Errorf("the name %q is not usable", d.Device)
	case badAddress(d.IP):
		return fmt.Errorf("the ip %q is not an address", d.IP)
	case badAddress(d.ReplicationIP):
		return fmt.Errorf("the replication_ip %q is not an address", d.ReplicationIP)
	case d.Port < 1 || d.Port > 65535:
		return fmt.Errorf("the port %d is out of range", d.Port)
	case d.ReplicationPort < 1 || d.ReplicationPort > 65535:
		return fmt.Errorf("the replication_port %d is out of range", d.ReplicationPort)
	}
	return nil
}

func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// badAddress accepts IP addresses and anything that could be a host name,
// underscores included.
func badAddress(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '-' {
		return true
	}
	if isIP(s) {
		return false
	}
	return strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	})
}
