package ring

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

// maxIndex bounds the index of format 2; Swift's has three entries of a hundred bytes.
const maxIndex = 1 << 20

// section is an entry of the index. Positions count inflated bytes; the
// compressed positions that Swift seeks by are not needed.
type section struct {
	start, end int64 // end is -1 when the file does not say
	method     string
	sum        string
}

// UnmarshalJSON reads [compressed_start, uncompressed_start, compressed_end,
// uncompressed_end, checksum_method, checksum_value]; the last four may be null.
func (s *section) UnmarshalJSON(text []byte) error {
	var start, end, skipped *int64
	var method, sum *string
	fields := []any{&skipped, &start, &skipped, &end, &method, &sum}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if len(fields) != 6 || start == nil || *start < 0 {
		return errors.New("the entry is malformed")
	}
	*s = section{start: *start, end: -1}
	if end != nil {
		s.end = *end
	}
	if method != nil {
		s.method = *method
	}
	if sum != nil {
		s.sum = strings.ToLower(*sum)
	}
	return nil
}

// fileV2 reads the sections of a format 2 file in any order.
type fileV2 struct {
	file  io.ReaderAt
	size  int64
	in    *source
	index map[string]section
}

// parseV2 reads format 2: sections with their lengths, an index of them, and the
// position of the index at the very end. in stands behind the first six bytes.
// Swift: common/ring/io.py RingReader.
//
// Unlike Swift: the file is inflated from its beginning, twice, so that a file
// that was compressed again, without Swift's flush points, is read as well.
func (r *Ring) parseV2(file io.ReaderAt, size int64, in *source) error {
	f := &fileV2{file: file, size: size}
	if err := f.readIndex(in); err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	var h header
	err := f.section("swift/ring/metadata", func(body *sectionReader) error {
		text, err := body.text("metadata")
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &h); err != nil {
			return err
		}
		return r.apply(&h)
	})
	if err != nil {
		return err
	}
	if h.DevIDBytes != 2 && h.DevIDBytes != 4 {
		return fmt.Errorf("the dev_id_bytes %d is neither 2 nor 4", h.DevIDBytes)
	}
	err = f.section("swift/ring/devices", func(body *sectionReader) error {
		text, err := body.text("devices")
		if err != nil {
			return err
		}
		r.devices, err = parseDevices(text)
		return err
	})
	if err != nil {
		return err
	}
	s := slots{width: h.DevIDBytes, order: binary.BigEndian, partitions: r.partitions, devices: len(r.devices)}
	return f.section("swift/ring/assignments", func(body *sectionReader) error {
		for ok := true; ok; ok = body.remain > 0 {
			if full, err := r.table.readRow(body, s); err != nil {
				return err
			} else if !full && r.table.rows() == 1 {
				return errors.New("the table is shorter than a row")
			}
		}
		return nil
	})
}

// readIndex walks over the sections to the last one, which is the index, and to
// the sixteen bytes behind it. On the way the whole file's checksum is checked.
func (f *fileV2) readIndex(in *source) error {
	b := bufio.NewReaderSize(in, 64<<10)
	start, next := int64(-1), in.pos // of the section just read, and of the one behind it
	var text []byte
	for {
		var head [8]byte
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return truncated(err)
		}
		length := binary.BigEndian.Uint64(head[:])
		rest, err := b.Peek(len(head) + 1)
		if err != nil && (err != io.EOF || len(rest) < len(head)) {
			return truncated(err)
		}
		if len(rest) == len(head) { // the tail: positions of the index, inflated and compressed
			if length != uint64(start) || text == nil {
				return fmt.Errorf("it is not at %d", length)
			}
			return json.Unmarshal(text, &f.index)
		}
		if length > maxInflated {
			return errTruncated
		}
		start, next = next, next+int64(len(head))+int64(length)
		if length > maxIndex { // not the index
			text = nil
			_, err = io.CopyN(io.Discard, b, int64(length))
		} else {
			text = slices.Grow(text[:0], int(length))[:length]
			_, err = io.ReadFull(b, text)
		}
		if err != nil {
			return truncated(err)
		}
	}
}

// section reads one section and checks its length and checksum. Sections that
// nobody asks for are left alone.
func (f *fileV2) section(name string, read func(*sectionReader) error) error {
	entry, ok := f.index[name]
	if !ok {
		return fmt.Errorf("the ring has no section %s", name)
	}
	err := f.seek(entry.start)
	if err == nil {
		err = f.readSection(entry, read)
	}
	if err != nil {
		return fmt.Errorf("read section %s: %w", name, err)
	}
	return nil
}

// seek inflates up to a position, from the beginning when it is behind us.
func (f *fileV2) seek(pos int64) (err error) {
	if f.in == nil || f.in.pos > pos {
		if f.in, err = open(f.file, f.size); err != nil {
			return err
		}
	}
	return f.in.skip(pos - f.in.pos)
}

func (f *fileV2) readSection(entry section, read func(*sectionReader) error) error {
	sum, err := checksum(entry.method)
	if err != nil {
		return err
	}
	var head [8]byte
	if err := f.in.full(head[:]); err != nil {
		return err
	}
	sum.Write(head[:])
	length := binary.BigEndian.Uint64(head[:])
	if length > uint64(f.in.left()) {
		return errTruncated
	}
	if entry.end >= 0 && entry.end-entry.start != int64(len(head))+int64(length) {
		return fmt.Errorf("it has %d bytes, the index says otherwise", length)
	}
	body := &sectionReader{in: f.in, remain: int64(length), sum: sum}
	if err := read(body); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); entry.sum != "" && got != entry.sum {
		return fmt.Errorf("its checksum is %s, the index says %s", got, entry.sum)
	}
	return nil
}

// checksum makes the method of a section. A file without checksums still has
// the one of gzip.
func checksum(method string) (hash.Hash, error) {
	switch method {
	case "md5", "":
		return md5.New(), nil
	case "sha1":
		return sha1.New(), nil
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("the checksum method %q is not known", method)
}

// sectionReader reads the data of one section.
type sectionReader struct {
	in     *source
	remain int64
	sum    hash.Hash
}

func (s *sectionReader) left() int64 { return s.remain }

func (s *sectionReader) Read(p []byte) (int, error) {
	if s.remain == 0 {
		return 0, io.EOF
	}
	n, err := s.in.Read(p[:min(int64(len(p)), s.remain)])
	s.sum.Write(p[:n])
	s.remain -= int64(n)
	if n > 0 {
		return n, nil
	}
	return n, truncated(err)
}

// text reads all of a section.
func (s *sectionReader) text(what string) ([]byte, error) {
	if s.remain > maxJSON {
		return nil, fmt.Errorf("the %s have %d bytes, more than %d", what, s.remain, maxJSON)
	}
	b := make([]byte, s.remain)
	_, err := io.ReadFull(s, b)
	return b, err
}
