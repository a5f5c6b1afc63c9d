package messages

// Digest stands for all suffix hashes of a partition: two partitions whose digests
// are equal have equal suffix hashes. internal/native says how it is made.
type Digest [16]byte

// DigestAsk asks for the digest of one partition of a device.
type DigestAsk struct {
	Policy int
	Number uint32
	List   bool // look for suffix directories that the cache does not know
}

// DigestReport is what became of a DigestAsk.
type DigestReport struct {
	Digest   Digest
	Suffixes int   // how many the digest stands for
	Hashed   int   // suffixes whose directories were read
	Err      error // why there is no digest, or nil
}

// SurveyAsk asks one peer whether it has a partition as this node has it.
type SurveyAsk struct {
	Node     Node
	Policy   int
	Number   uint32
	Digest   Digest
	Suffixes int
}

// SurveyAnswer is what a peer has said to a SurveyAsk.
type SurveyAnswer struct {
	Finding Finding
	Hashes  Hashes // of a peer that differs and may still lack nothing; else nil
}

// Finding tells how a peer's copy of a partition compares.
type Finding int

const (
	Unknown Finding = iota // the peer has not told: it is to be asked about the partition alone
	Same                   // the peer's suffix hashes are the same
	Differs                // they are not
)
