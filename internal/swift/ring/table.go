package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// unassigned is the id of a slot that holds no device. A balanced ring has none.
const unassigned = ^uint32(0)

// table is device ids by row (replica) and partition. All rows but the last
// have one id for each partition; the last may be shorter. Exactly one of the
// two widths is in use, whichever the number of devices needs.
type table struct {
	narrow [][]uint16 // all ones: unassigned
	wide   [][]uint32
}

func (t *table) rows() int { return len(t.narrow) + len(t.wide) }

func (t *table) length(row int) int {
	if t.wide != nil {
		return len(t.wide[row])
	}
	return len(t.narrow[row])
}

// at is the device of a slot; unassigned when the row does not reach that far.
func (t *table) at(row int, part uint32) uint32 {
	if t.wide != nil {
		if r := t.wide[row]; uint64(part) < uint64(len(r)) {
			return r[part]
		}
		return unassigned
	}
	if r := t.narrow[row]; uint64(part) < uint64(len(r)) && r[part] != ^uint16(0) {
		return uint32(r[part])
	}
	return unassigned
}

// used tells which devices have a slot. It fails when a slot names a device
// that the ring does not have.
func (t *table) used(devices []*Device) ([]bool, error) {
	used := make([]bool, len(devices))
	for row := range t.rows() {
		for part := range uint32(t.length(row)) {
			id := t.at(row, part)
			if id == unassigned {
				continue
			}
			if int64(id) >= int64(len(devices)) || devices[id] == nil {
				return nil, fmt.Errorf("replica %d of partition %d is on device %d, which is not in the ring", row, part, id)
			}
			used[id] = true
		}
	}
	return used, nil
}

// slots says how the ids of a table are written in a file.
type slots struct {
	width      int // bytes of one id: 2 or 4
	order      binary.ByteOrder
	partitions uint32
	devices    int
}

// bounded is a reader that knows how much it can give at most.
type bounded interface {
	io.Reader
	left() int64
}

// readRow appends a row of at most one id for each partition. It reports
// whether the row was full; a short row is the end of the table.
func (t *table) readRow(in bounded, s slots) (full bool, err error) {
	left := int64(s.partitions) * int64(s.width)
	if t.rows() == maxRows {
		return false, fmt.Errorf("the table has more than %d rows", maxRows)
	}
	if t.rows() == 0 && left > in.left() {
		return false, errors.New("the file is too small for a row of its table")
	}
	var narrow []uint16
	var wide []uint32
	small := s.width == 2 || s.devices < 1<<16
	if small {
		narrow = make([]uint16, 0, s.partitions)
	} else {
		wide = make([]uint32, 0, s.partitions)
	}
	buf := make([]byte, min(64<<10, left))
	for left > 0 && err == nil {
		var n int
		n, err = io.ReadFull(in, buf[:min(int64(len(buf)), left)])
		if n%s.width != 0 {
			return false, errors.New("the table ends in the middle of an id")
		}
		left -= int64(n)
		for b := buf[:n]; len(b) > 0; b = b[s.width:] {
			id := s.id(b)
			switch {
			case !small:
				wide = append(wide, id)
			case id == unassigned || id < 1<<16-1:
				narrow = append(narrow, uint16(id))
			default:
				return false, fmt.Errorf("replica %d of partition %d is on device %d, which is not in the ring", t.rows(), len(narrow), id)
			}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	if left > 0 { // give back what the short row does not need
		narrow, wide = slices.Clone(narrow), slices.Clone(wide)
	}
	if small {
		t.narrow = append(t.narrow, narrow)
	} else {
		t.wide = append(t.wide, wide)
	}
	return left == 0, nil
}

// id reads one id. All ones is unassigned in either width.
func (s slots) id(b []byte) uint32 {
	if s.width == 4 {
		return s.order.Uint32(b)
	}
	if id := s.order.Uint16(b); id != ^uint16(0) {
		return uint32(id)
	}
	return unassigned
}
