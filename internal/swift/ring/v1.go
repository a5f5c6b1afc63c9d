package ring

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// header is the description of a ring: all of it in format 1, in format 2
// the part that its metadata section holds.
type header struct {
	ByteOrder     string          `json:"byteorder"`
	DevIDBytes    int             `json:"dev_id_bytes"`
	Devs          json.RawMessage `json:"devs"`
	NextPartPower *int            `json:"next_part_power"`
	PartShift     *int            `json:"part_shift"`
	ReplicaCount  json.RawMessage `json:"replica_count"` // rows in format 1, a float in format 2
	Version       *int64          `json:"version"`
}

// apply takes over what both formats have in common.
func (r *Ring) apply(h *header) error {
	if h.Version != nil {
		r.version = *h.Version
	}
	if h.NextPartPower != nil {
		if *h.NextPartPower < 0 || *h.NextPartPower > 32 {
			return fmt.Errorf("the next_part_power %d is not between 0 and 32", *h.NextPartPower)
		}
		r.nextPartPower = *h.NextPartPower
	}
	return r.setPartShift(h.PartShift)
}

// parseV1 reads format 1: a JSON object with its length, then the rows of
// device ids. Swift: common/ring/ring.py RingData.deserialize_v1.
func (r *Ring) parseV1(in *source) error {
	var length [4]byte
	if err := in.full(length[:]); err != nil {
		return err
	}
	text, err := in.bytes(uint64(binary.BigEndian.Uint32(length[:])), "description")
	if err != nil {
		return err
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("read description: %w", err)
	}
	if err := r.apply(&h); err != nil {
		return err
	}
	if len(h.Devs) == 0 {
		return errors.New("the ring has no devs")
	}
	if r.devices, err = parseDevices(h.Devs); err != nil {
		return err
	}
	var rows int
	if err := json.Unmarshal(h.ReplicaCount, &rows); err != nil {
		return fmt.Errorf("read replica_count: %w", err)
	}
	if rows < 1 || rows > maxRows {
		return fmt.Errorf("the replica_count %d is not between 1 and %d", rows, maxRows)
	}
	s := slots{width: 2, partitions: r.partitions, devices: len(r.devices)}
	switch h.ByteOrder {
	case "little":
		s.order = binary.LittleEndian
	case "big":
		s.order = binary.BigEndian
	case "": // before Swift 2.12: the order of the host
		s.order = nativeOrder()
	default:
		return fmt.Errorf("the byteorder %q is not known", h.ByteOrder)
	}
	for row := range rows {
		full, err := r.table.readRow(in, s)
		if err != nil {
			return err
		}
		if !full && (row == 0 || row < rows-1) {
			if err := in.end(); err != nil {
				return err
			}
			return fmt.Errorf("the table ends in row %d of %d", row+1, rows)
		}
	}
	return in.end()
}

func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
