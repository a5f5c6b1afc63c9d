package server

import (
	"bytes"
	"encoding/hex"
	"errors"

	"understudy/internal/store"
	wire "understudy/internal/swift/ssync"
)

// missingCheck reads what the sender offers and then says what is wanted of it; not
// before the end, because the sender does not read while it sends.
// Swift: obj/ssync_receiver.py missing_check.
func (n *session) missingCheck() error {
	line, err := n.in.line("missing_check start")
	if err != nil {
		return err
	}
	if len(line) == 0 {
		return errHungUp
	}
	if string(wire.Strip(line)) != wire.MissingStart {
		return lookingFor(wire.MissingStart, line)
	}
	wanted := wants{budget: &n.wantable}
	defer wanted.free()
	for {
		line, err := n.in.line("missing_check line")
		if err != nil {
			return err
		}
		if len(line) == 0 || string(wire.Strip(line)) == wire.MissingEnd {
			break
		}
		offer, err := wire.ParseOffer(line)
		if err != nil {
			return err
		}
		if !wire.ValidHash(offer.Hash) {
			// Unlike Swift, which would look for it wherever the path leads.
			return broken("Invalid hash in offer: %s", wire.ReprBytes(bytes.Clone(line)))
		}
		var held store.State
		if err := n.disk(func() (err error) { held, err = n.objects.Held(n.ctx, offer.Hash); return err }); err != nil {
			return err
		}
		if err := wanted.add(want(offer, held)); err != nil {
			return err
		}
	}
	return wanted.say(n)
}

func lookingFor(what string, got []byte) error {
	return broken("Looking for %s got %s", what, wire.ReprBytes(got[:min(len(got), 1024)]))
}

// want compares an offer with what is there. Swift: obj/ssync_receiver.py
// encode_wanted.
func want(o wire.Offer, held store.State) wire.Want {
	w := wire.Want{Hash: o.Hash}
	switch {
	case held.Exists:
		w.Data = o.Data.Compare(held.Data) > 0
		w.Meta = o.Meta.Compare(held.Newest) > 0 ||
			o.CType.Compare(held.CType) > 0 && o.CType.Compare(o.Data) > 0
	case held.Deleted:
		w.Data = o.Data.Compare(held.Data) > 0
	default:
		w.Data, w.Meta = true, true
	}
	return w
}

// wants is what a session wants, in little memory: a sender can offer any number of
// objects. All sessions share one budget; a session that would go beyond it fails.
// It must not leave an object out: the sender would take it for held.
type wants struct {
	budget interface{ Add(int64) int64 }
	blocks [][]byte
	taken  int64
}

const (
	wantSize  = 17 // bytes: the hash and which parts
	wantBlock = 1024
)

// errTooMany says that more objects are wanted than there is memory for.
var errTooMany = errors.New("too many objects are wanted at the same time")

func (l *wants) add(w wire.Want) error {
	if !w.Data && !w.Meta {
		return nil
	}
	last := len(l.blocks) - 1
	if last < 0 || len(l.blocks[last]) == wantSize*wantBlock {
		l.taken += wantBlock
		if l.budget.Add(-wantBlock) < 0 {
			return errTooMany
		}
		l.blocks = append(l.blocks, make([]byte, 0, wantSize*wantBlock))
		last++
	}
	var entry [wantSize]byte
	if _, err := hex.Decode(entry[:16], []byte(w.Hash)); err != nil {
		return err
	}
	if w.Data {
		entry[16] |= 1
	}
	if w.Meta {
		entry[16] |= 2
	}
	l.blocks[last] = append(l.blocks[last], entry[:]...)
	return nil
}

func (l *wants) free() {
	l.budget.Add(l.taken)
	l.blocks, l.taken = nil, 0
}

// say sends the list, a block at a time.
func (l *wants) say(n *session) error {
	text := []byte(wire.MissingStart + "\r\n")
	for i, block := range l.blocks {
		for len(block) > 0 {
			w := wire.Want{Hash: hex.EncodeToString(block[:16]), Data: block[16]&1 != 0, Meta: block[16]&2 != 0}
			text = append(w.Append(text), "\r\n"...)
			block = block[wantSize:]
		}
		l.blocks[i] = nil
		if err := n.say(text); err != nil {
			return &readError{"missing_check wants: " + err.Error()}
		}
		text = text[:0]
	}
	if len(l.blocks) == 0 {
		text = append(text, "\r\n"...)
	}
	if err := n.say(append(text, wire.MissingEnd+"\r\n"...)); err != nil {
		return &readError{"missing_check wants: " + err.Error()}
	}
	return nil
}
