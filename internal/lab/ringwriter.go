package lab

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"understudy/internal/swift/ring"
)

// RingSpec describes a ring of a lab. The same spec always makes the same bytes.
type RingSpec struct {
	PartPower     int           // 0 to 20
	Replicas      float64       // 1 to 64; with 2.5, half of the partitions have three copies
	Devices       []ring.Device // placed by their ID; ids left out are removed devices; Weight 0 gets nothing
	Seed          uint64
	Version       int64 // written as the builder's version
	NextPartPower int   // 0: none; else the file says that the part power is being increased
}

const (
	maxLabPartPower = 20
	maxLabReplicas  = 64
)

// ringFile is the description at the head of a format 1 ring, keys in order.
type ringFile struct {
	ByteOrder     string         `json:"byteorder"`
	Devs          []*ring.Device `json:"devs"`
	NextPartPower int            `json:"next_part_power,omitempty"`
	PartShift     int            `json:"part_shift"`
	ReplicaCount  int            `json:"replica_count"`
	Version       int64          `json:"version"`
}

// BuildRing places partitions on devices and writes the ring in format 1, as
// Swift's own tools do. Swift: common/ring/ring.py RingData.serialize_v1.
func BuildRing(spec RingSpec) ([]byte, error) {
	return buildRing(spec, "object.ring")
}

// WriteRing writes the ring of a spec to a file, which readers see whole or not at all.
func WriteRing(path string, spec RingSpec) error {
	gz, err := buildRing(spec, strings.TrimSuffix(filepath.Base(path), ".gz"))
	if err != nil {
		return err
	}
	if err := replaceFile(path, gz); err != nil {
		return fmt.Errorf("write ring %s: %w", path, err)
	}
	return nil
}

func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

func buildRing(spec RingSpec, name string) ([]byte, error) {
	devices, err := spec.check()
	if err != nil {
		return nil, fmt.Errorf("build ring: %w", err)
	}
	rows := spec.place(devices)
	text, err := json.Marshal(ringFile{
		ByteOrder: "little", Devs: devices, NextPartPower: spec.NextPartPower,
		PartShift: 32 - spec.PartPower, ReplicaCount: len(rows), Version: spec.Version,
	})
	if err != nil {
		return nil, fmt.Errorf("build ring: %w", err)
	}
	text = asciiJSON(text)

	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	gz.Name = name
	gz.ModTime = time.Unix(1300507380, 0) // Swift's: equal rings make equal bytes
	plain := append([]byte("R1NG"), 0, 1)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(text)))
	plain = append(plain, text...)
	for _, row := range rows {
		for _, id := range row {
			plain = binary.LittleEndian.AppendUint16(plain, id)
		}
	}
	if _, err := gz.Write(plain); err != nil {
		return nil, fmt.Errorf("build ring: %w", err)
	}
	if err := gz.Close(); err != nil {
		return nil, fmt.Errorf("build ring: %w", err)
	}
	return out.Bytes(), nil
}

// check returns the devices by id, nil where there is none.
func (s RingSpec) check() ([]*ring.Device, error) {
	if s.PartPower < 0 || s.PartPower > maxLabPartPower {
		return nil, fmt.Errorf("the part power %d is not between 0 and %d", s.PartPower, maxLabPartPower)
	}
	if !(s.Replicas >= 1 && s.Replicas <= maxLabReplicas) {
		return nil, fmt.Errorf("the number of replicas %g is not between 1 and %d", s.Replicas, maxLabReplicas)
	}
	weight, last := 0.0, -1
	for _, d := range s.Devices {
		if d.ID < 0 || d.ID >= math.MaxUint16 {
			return nil, fmt.Errorf("the device id %d is not between 0 and %d", d.ID, math.MaxUint16-1)
		}
		if !(d.Weight >= 0) || math.IsInf(d.Weight, 0) {
			return nil, fmt.Errorf("device %d has the weight %g", d.ID, d.Weight)
		}
		weight, last = weight+d.Weight, max(last, d.ID)
	}
	if !(weight > 0) || math.IsInf(weight, 0) {
		return nil, fmt.Errorf("the weights of %d devices add up to %g", len(s.Devices), weight)
	}
	devices := make([]*ring.Device, last+1)
	for _, d := range s.Devices {
		if devices[d.ID] != nil {
			return nil, fmt.Errorf("there are two devices %d", d.ID)
		}
		devices[d.ID] = &d
	}
	return devices, nil
}

// asciiJSON escapes what is not ASCII, as Python's json does.
func asciiJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
	}
	return out
}
