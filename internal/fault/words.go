package fault

import "slices"

// Place is a seam at which faults happen.
type Place string

// The places.
const (
	Disk    Place = "disk"
	Net     Place = "net"
	Peer    Place = "peer"
	Rsync   Place = "rsync"
	Actor   Place = "actor"
	Clock   Place = "clock"
	Process Place = "process"
)

// PlaceWords is the vocabulary of a place.
type PlaceWords struct {
	Place Place
	Keys  []string // that events of the place have
	Ops   []string // what the key op may be; nil: there is no such key
	Verbs []Verb
}

// Verb is something that can be done at a place.
type Verb struct {
	Name  string
	Args  []Arg    // in this order
	Named []Arg    // name=value, in any order
	Ops   []string // at which it can be done; nil: at all
	Tells string   // what happens
}

// Arg is an argument of a verb.
type Arg struct {
	Name     string
	Kind     Kind
	Choice   []string // of KindWord
	Optional bool     // named ones always are
}

// Kind says what an argument may be.
type Kind int

// The kinds.
const (
	KindWord     Kind = iota // one of Choice
	KindErrno                // EIO, ENOSPC …
	KindDuration             // 300ms, above 0
	KindShift                // -192h: a duration that may be negative, not 0
	KindCount                // a whole number, 0 and more
	KindRate                 // a whole number, 1 and more
	KindStatus               // an HTTP status, 100-599
	KindExit                 // an exit code, 0-255
)

// DiskOps are the operations of a disk, which are points of Process, too.
var DiskOps = []string{
	"opendir", "readdir", "syncdir", "closedir", "stat", "mkdir", "rmdir", "remove", "rename", "move",
	"open", "create", "tmpfile", "read", "write", "fstat", "truncate", "sync", "syncdata", "lock", "unlock", "close",
	"getxattr", "setxattr", "allocate", "link", "space",
}

// RsyncOp is the point of Process at which an rsync is started, and, with done, has ended.
// Its path is one of RsyncPaths.
const RsyncOp = "rsync"

// RsyncPaths tell what an rsync is for: it pushes, proves what has been pushed, or lists
// what the peer has.
var RsyncPaths = []string{"push", "proof", "list"}

// inbound are the operations of the side that is connected to. Only faults that name one
// meet them: else a plan that both sides follow would do everything twice.
var inbound = []string{"accept", "receive", "send"}

var (
	delayVerb = Verb{Name: "delay", Args: []Arg{{Name: "duration", Kind: KindDuration}}, Tells: "it happens so much later"}
	afterByte = []Arg{{Name: "after-bytes", Kind: KindCount}}
	way       = Arg{Name: "way", Kind: KindWord, Choice: []string{"in", "out"}}
	ends      = []string{"dial", "accept"}
	late      = []Arg{{Name: "done", Kind: KindWord, Choice: []string{"done"}, Optional: true}}
)

// Places is the language: each place with its keys and verbs.
var Places = []PlaceWords{
	{Place: Disk, Keys: []string{"node", "device", "op", "path"}, Ops: DiskOps, Verbs: []Verb{
		{Name: "error", Args: []Arg{{Name: "name", Kind: KindErrno}}, Tells: "the call fails with this error number and does nothing"},
		delayVerb,
		{Name: "hang", Tells: "the call does not return until the fault is over; no deadline is heeded"},
		{Name: "short", Ops: []string{"read", "write", "getxattr", "readdir"}, Tells: "half of it; a write then fails with ENOSPC, a listing with EIO"},
		{Name: "torn", Ops: []string{"write"}, Tells: "half of the bytes reach the file, and nothing more ever does, but all writes succeed"},
		{Name: "flip", Ops: []string{"read", "getxattr"}, Tells: "one bit of what is read is wrong"},
		{Name: "lie", Ops: []string{"sync", "syncdata", "syncdir"}, Tells: "success without anything being made durable"},
		{Name: "crash", Tells: "what was not synced is lost, and the device answers EIO until the fault is over"},
	}},
	{Place: Net, Keys: []string{"from", "to", "port", "op"}, Ops: append([]string{"dial", "read", "write"}, inbound...), Verbs: []Verb{
		{Name: "refuse", Ops: ends, Tells: "connection refused"},
		{Name: "cut", Tells: "nothing passes: a connection is not made, and what is connected is silent"},
		delayVerb,
		{Name: "reset", Ops: ends, Named: afterByte, Tells: "the connection is reset after so many bytes both ways"},
		{Name: "stall", Ops: ends, Named: afterByte, Tells: "nothing more passes after so many bytes both ways"},
		{Name: "half-close", Ops: ends, Named: afterByte, Tells: "the peer sees the end of our bytes, and ours are lost from then on"},
		{Name: "slow", Ops: ends, Args: []Arg{{Name: "bytes-per-second", Kind: KindRate}}, Tells: "so many bytes a second each way"},
		{Name: "garbage", Ops: ends, Named: []Arg{afterByte[0], way}, Tells: "bytes are noise from there on"},
		{Name: "flip", Ops: ends, Named: []Arg{{Name: "at", Kind: KindCount}, way}, Tells: "one bit of the byte at this place is wrong"},
	}},
	{Place: Peer, Keys: []string{"node", "peer", "port", "device", "partition", "verb"}, Verbs: []Verb{
		{Name: "answer", Args: []Arg{{Name: "status", Kind: KindStatus}}, Tells: "the request is answered so, and never reaches the peer"},
		{Name: "pickle", Args: []Arg{{Name: "what", Kind: KindWord, Choice: []string{"wrong", "truncated", "garbage", "empty"}}}, Tells: "200, with a body that is no hashes, or (empty) says that the peer has nothing"},
		{Name: "garbage", Tells: "an answer that is no HTTP"},
		{Name: "silence", Tells: "no answer until the fault is over"},
	}},
	{Place: Rsync, Keys: []string{"node", "peer", "module"}, Verbs: []Verb{
		{Name: "exit", Args: []Arg{{Name: "code", Kind: KindExit}}, Tells: "not started; ends with this code"},
		{Name: "hang", Tells: "not started; runs until it is killed or the fault is over, then code 30"},
		{Name: "killed", Tells: "started, and killed when it first says something or ends"},
		{Name: "partial", Tells: "runs; only half of its output arrives"},
		delayVerb,
	}},
	{Place: Actor, Keys: []string{"node", "kind", "actor", "message"}, Verbs: []Verb{
		{Name: "panic", Tells: "the actor panics on the message"},
		{Name: "restart", Tells: "the actor panics on the message, and its supervisor restarts it in place"},
		delayVerb,
		{Name: "drop", Tells: "the message is lost"},
		{Name: "duplicate", Tells: "the message is handled twice"},
		{Name: "stop", Tells: "the message is handled, then the actor stops"},
	}},
	{Place: Clock, Keys: []string{"node"}, Verbs: []Verb{
		{Name: "jump", Args: []Arg{{Name: "by", Kind: KindShift}}, Tells: "the clock shows so much more, as long as the fault lasts"},
	}},
	{Place: Process, Keys: []string{"node", "device", "op", "path"}, Ops: append(slices.Clone(DiskOps), RsyncOp), Verbs: []Verb{
		{Name: "kill", Args: late, Tells: "the process kills itself (SIGKILL) instead of the call, or when it is done"},
		{Name: "exit", Args: append([]Arg{{Name: "code", Kind: KindExit}}, late...), Tells: "the process exits with this code"},
		{Name: "panic", Args: late, Tells: "the call panics"},
	}},
}

func wordsOf(p Place) *PlaceWords {
	i := slices.IndexFunc(Places, func(w PlaceWords) bool { return w.Place == p })
	if i < 0 {
		return nil
	}
	return &Places[i]
}

func (w *PlaceWords) verb(name string) *Verb {
	i := slices.IndexFunc(w.Verbs, func(v Verb) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &w.Verbs[i]
}
