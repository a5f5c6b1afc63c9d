// Package pickle reads and writes the few Python pickles that Swift keeps on
// disk and sends between nodes: metadata in extended attributes, hashes.pkl and
// REPLICATE bodies.
//
// Reading is a whitelist: protocols 0 to 2, the opcodes that Swift's own writers
// ever used, and five globals; nothing is ever looked up or run. Everything else
// is an *Error that names the opcode or global and its offset.
//
// It is own code because og-rek 1.3.0, the library for this, has no bound on
// memo, stack or allocations and turns any class or call into a value instead of
// refusing it, so that neither the whitelist nor the limits could be held with it.
package pickle

import "fmt"

// Values. A decoded value is one of nil, bool, int64, float64, Text, Bytes,
// Tuple and *Dict. Values form a tree: nothing is shared and nothing is cyclic.
type (
	// Text is a Python str (unicode in Python 2) in UTF-8; lone surrogates, which
	// Python allows, stay as their three bytes.
	Text string
	// Bytes is a Python 3 bytes or a Python 2 str.
	Bytes string
	// Tuple is a Python tuple.
	Tuple []any
	// Dict is a Python dict as it was written. The same key may occur more than
	// once: the last one counts. Keys are never Tuple or *Dict.
	Dict struct{ Pairs []Pair }
	// Pair is one key and its value.
	Pair struct{ Key, Value any }
)

// Limits bound what a pickle may cost. Every field is required.
type Limits struct {
	Size  int // bytes of pickle
	Depth int // containers within containers
	Stack int // values alive on the stack, and items of all containers together
	Memo  int // memo slots
	Work  int // bytes copied or scanned by calls, beyond the pickle itself
}

// Error tells where a pickle stopped being one that we read.
type Error struct {
	Offset int    // of the opcode
	Op     string // the opcode's name in pickletools, or the byte in hex
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("read pickle: %s at offset %d: %s", e.Op, e.Offset, e.Reason)
}
