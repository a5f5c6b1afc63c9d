package bench

// misses say why a goal is missed, in one sentence each; more is in the notes.
var misses = map[string]string{
	"B1 CPU":                        "no single cause, see below; a third of it is system calls",
	"B1 wall":                       "most of it is the peers' object servers at work; ours waits for them, its CPU time is the line below",
	"B3 wall":                       "68 % is hashing, most of it the kernel's part of reading two folders for each hash dir",
	"B4 wall, against Swift, rsync": receivers,
	"B4 wall, against Swift, ssync": receivers,
	"B6 wall, against Swift, ssync": receivers,
	"B6 wall, against cp -a":        "`cp -a` on tmpfs neither hashes nor speaks to anybody",
	"B7 wall, against Swift, ssync": receivers,
	"B7 wall, against Swift, rsync": receivers,
}

const receivers = "the wall time is the receivers', Swift's object servers, which fsync and hash every object on the same two cores"
