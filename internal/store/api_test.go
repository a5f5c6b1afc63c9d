package store

import "understudy/actors"

// The actors use the disks through this interface.
var _ actors.Store = (*Store)(nil)
