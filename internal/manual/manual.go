// Package manual holds the manual pages that are written by hand.
package manual

import _ "embed"

// Replicator is swift-object-replicator(1), in roff.
//
//go:embed swift-object-replicator.1
var Replicator string
