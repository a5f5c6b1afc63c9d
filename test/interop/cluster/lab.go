package cluster

import _ "embed"

// labScript is the one Python program of the lab: it does with Swift's own classes
// what must be Swift's own doing (rings, bytes on disk, decoding, hashing).
//
//go:embed lab.py
var labScript []byte
