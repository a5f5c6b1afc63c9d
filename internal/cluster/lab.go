package cluster

import "embed"

// scripts are the Python programs of the lab: they do with Swift's own classes what
// must be Swift's own doing (rings, bytes on disk, decoding, hashing).
//
//go:embed lab.py bulk.py
var scripts embed.FS
