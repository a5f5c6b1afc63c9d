package bench

import (
	"slices"
	"strings"
	"testing"
)

// What perf prints becomes shares; silent functions and those that only call one other
// are left out, and a function that calls itself counts once.
func TestTopFrames(t *testing.T) {
	sample := func(names ...string) string {
		return "          4a5b60 " + strings.Join(names, "\n          4a5b60 ") + "\n\n"
	}
	const root = "runtime.goexit.abi0"
	text := sample("read", "runtime/internal/syscall.Syscall6", "store.Read", "store.Wrap", "[unknown]", root) +
		sample("store.Read", "store.Wrap", "actors.Run", root) +
		sample("hash", "hash", "actors.Run", "understudy/actors.shielded", root) +
		sample("runtime.mallocgc", "actors.Run", root) +
		sample(root) // nothing is left of it
	want := []frame{{"actors.Run", 75, 0}, {"store.Read", 50, 25}, {"hash", 25, 25}, {"read", 25, 25}, {"runtime.mallocgc", 25, 25}}
	if got := topFrames(parseStacks(text)); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got := topFrames(parseStacks("")); len(got) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}
