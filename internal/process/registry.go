package process

import cmap "github.com/orcaman/concurrent-map"

// SmallRegistry has the actor library keep the names of actors in 1024 small maps
// instead of 32768. Each of them grows when the first name falls into it, so that with
// the library's own number a process grows by ten megabytes over its first hundred
// thousand jobs and begins with three; so it begins with a tenth of one and grows by
// two. 1024 locks are enough for the slots of a node.
//
// It changes a variable of the whole process, and names in maps that were made before
// would not be found again: only a program's main function may call it, before it makes
// its first actor system, and never what a host program embeds.
func SmallRegistry() { cmap.SHARD_COUNT = 1 }
